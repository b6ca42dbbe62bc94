# One target per part of the marketplace, each with its own folder, the kit and its own libraries:
#   docker build --target booking .
# Nothing runs as root, and nothing writes outside /tmp and its volumes.

ARG PYTHON_IMAGE=python:3.11-slim

# --- libraries: the base, then one virtual environment per extra ---------------------------------

FROM ${PYTHON_IMAGE} AS libraries
ARG UV_VERSION=0.13.9
RUN pip install --no-cache-dir --disable-pip-version-check uv==${UV_VERSION}
ENV UV_PROJECT_ENVIRONMENT=/venv UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_NO_CACHE=1 \
    UV_PYTHON_DOWNLOADS=never
WORKDIR /app
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-default-groups

FROM libraries AS libraries-profiles
RUN uv sync --frozen --no-default-groups --extra telemetry --extra profiles
FROM libraries AS libraries-booking
RUN uv sync --frozen --no-default-groups --extra telemetry --extra booking
FROM libraries AS libraries-payments
RUN uv sync --frozen --no-default-groups --extra telemetry --extra payments
FROM libraries AS libraries-notifications
RUN uv sync --frozen --no-default-groups --extra telemetry --extra notifications
FROM libraries AS libraries-web
RUN uv sync --frozen --no-default-groups --extra telemetry --extra web
FROM libraries AS libraries-ops
RUN uv sync --frozen --no-default-groups --extra ops
FROM libraries AS libraries-simulators
RUN uv sync --frozen --no-default-groups --extra simulators

# The browser's files, from the packages and with the hashes that dev/webfiles.lock names.
FROM libraries-ops AS browser-files
COPY dev/__init__.py dev/cache.py dev/downloads.py dev/webfiles.py dev/webfiles.lock dev/
ENV XDG_CACHE_HOME=/fetched
RUN /venv/bin/python -c \
    "import asyncio, dev.webfiles as files; asyncio.run(files.fetch_web_files())"

# --- what every container of ours has -----------------------------------------------------------

FROM ${PYTHON_IMAGE} AS kit
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin mentorium \
    # In development all share one business clock: a file with an offset, zero at first.
    && install --directory --owner=mentorium /clock /state \
    && head --bytes=8 /dev/zero > /clock/offset && chown mentorium /clock/offset
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
COPY shared shared
USER mentorium

# --- the parts ----------------------------------------------------------------------------------

FROM kit AS profiles
COPY --from=libraries-profiles /venv /venv
COPY services/__init__.py services/
COPY services/profiles services/profiles
ENTRYPOINT ["python", "-m", "services.profiles"]

FROM kit AS booking
COPY --from=libraries-booking /venv /venv
COPY services/__init__.py services/
COPY services/booking services/booking
ENTRYPOINT ["python", "-m", "services.booking"]

FROM kit AS payments
COPY --from=libraries-payments /venv /venv
COPY services/__init__.py services/
COPY services/payments services/payments
ENTRYPOINT ["python", "-m", "services.payments"]

FROM kit AS notifications
COPY --from=libraries-notifications /venv /venv
COPY services/__init__.py services/
COPY services/notifications services/notifications
ENTRYPOINT ["python", "-m", "services.notifications"]

FROM kit AS web
COPY --from=libraries-web /venv /venv
COPY --from=browser-files /fetched/mentorium/web/vendor /vendor
ENV WEB_VENDOR_DIR=/vendor
COPY web web
ENTRYPOINT ["python", "-m", "web"]

FROM kit AS ops
COPY --from=libraries-ops /venv /venv
COPY ops ops
ENTRYPOINT ["python", "-m", "ops"]

# Development only: what stands in for Stripe and for mailboxes, and the hand on the clock.
FROM kit AS simulators
COPY --from=libraries-simulators /venv /venv
COPY simulators simulators
ENTRYPOINT ["python", "-m"]

FROM ops AS clock
COPY dev/__init__.py dev/clock.py dev/
COPY deploy/clock.py deploy/
ENTRYPOINT ["python", "-m", "deploy.clock"]
