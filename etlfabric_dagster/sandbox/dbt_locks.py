"""Imported before anything of dbt: its locks become threads'.

dbt makes locks for processes that it never starts. Each costs a semaphore and, in a forked child
whose tracker the server has ended, a new resource tracker process.
"""

from __future__ import annotations

import multiprocessing.dummy

import dbt.mp_context

dbt.mp_context._MP_CONTEXT = multiprocessing.dummy
