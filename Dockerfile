# One image for every process of docker-compose.yml.
FROM python:3.12-slim

RUN pip install --no-cache-dir uv
WORKDIR /opt/etlfabric
COPY requirements.lock ./
RUN uv venv && uv pip install --no-cache --compile-bytecode --require-hashes -r requirements.lock
COPY pyproject.toml README.md ./
COPY dbt_projects dbt_projects
COPY etlfabric_dagster etlfabric_dagster
COPY etlfabric_ui etlfabric_ui
RUN uv pip install --no-cache --compile-bytecode --no-deps .

# The home is a volume; it takes its owner from the image.
RUN useradd --uid 10001 --home-dir /srv/etlfabric etlfabric \
    && mkdir -p /srv/etlfabric/run /srv/etlfabric/storage \
    && chown -R etlfabric /srv/etlfabric && chmod 700 /srv/etlfabric
ENV PATH=/opt/etlfabric/.venv/bin:$PATH ETLFABRIC_HOME=/srv/etlfabric PYTHONUNBUFFERED=1
USER etlfabric
WORKDIR /srv/etlfabric
CMD ["etlfabric", "--help"]
