# One image for every process of docker-compose.yml.
FROM python:3.12-slim

RUN pip install --no-cache-dir uv && useradd --create-home --uid 10001 etlfabric
WORKDIR /opt/etlfabric
COPY requirements.lock ./
RUN uv venv && uv pip install --no-cache --require-hashes -r requirements.lock
COPY pyproject.toml README.md ./
COPY dbt_projects dbt_projects
COPY etlfabric_dagster etlfabric_dagster
COPY etlfabric_ui etlfabric_ui
RUN uv pip install --no-cache --no-deps . && .venv/bin/python -m compileall -q -j 0 .venv || true

ENV PATH=/opt/etlfabric/.venv/bin:$PATH \
    ETLFABRIC_HOME=/home/etlfabric/home \
    PYTHONUNBUFFERED=1
USER etlfabric
RUN mkdir -p /home/etlfabric/home/run /home/etlfabric/home/storage && chmod -R 700 /home/etlfabric/home
WORKDIR /home/etlfabric
CMD ["etlfabric", "--help"]
