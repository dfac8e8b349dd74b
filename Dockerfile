# syntax=docker/dockerfile:1
# Nave with its PostgreSQL driver. The hub's folder is a volume; secrets come from the environment or from files.

FROM python:3.12-slim AS build
WORKDIR /src
RUN python -m venv /opt/build && python -m venv /opt/nave
# The locked sets first: they change less often than the code. Each package is checked against its hash.
COPY requirements/build.txt requirements/run.txt requirements/dev.txt requirements/
RUN /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt
RUN /opt/nave/bin/pip install --no-cache-dir --require-hashes -r requirements/run.txt
# The driver alone is taken from the larger set.
RUN awk '/^[a-z]/ { wanted = /^psycopg/ } wanted' requirements/dev.txt > requirements/postgres.txt \
    && /opt/nave/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements/postgres.txt
COPY pyproject.toml README.md LICENSE ./
COPY core core
COPY mappings mappings
COPY connectors connectors
COPY config config
COPY workers workers
COPY api api
COPY cli cli
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir dist . \
    && /opt/nave/bin/pip install --no-cache-dir --no-deps --no-index dist/*.whl

FROM python:3.12-slim
COPY --from=build /opt/nave /opt/nave
RUN useradd --uid 10001 --create-home nave && install -d -o nave -g nave /hub
ENV PATH=/opt/nave/bin:$PATH PYTHONUNBUFFERED=1 LANG=C.UTF-8
USER nave
WORKDIR /hub
VOLUME /hub
EXPOSE 8080
STOPSIGNAL SIGTERM
# Alive means that the door answers on port 8080. A hub without a pushed source opens no door: give it another check.
HEALTHCHECK --interval=15s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/livez', timeout=2)"]
ENTRYPOINT ["nave", "--hub", "/hub"]
CMD ["run"]
