# P3: P2 with the dependencies split by hand into a heavy and a light layer, made side by side.
FROM python:3.11-slim AS heavy
ENV UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
RUN --mount=type=cache,target=/root/.cache/uv \
    --mount=type=bind,from=bench/uv:1,source=/uv,target=/usr/local/bin/uv \
    --mount=type=bind,source=heavy/pylock.toml,target=/lock/pylock.toml \
    uv venv /opt/venv && uv pip sync --python /opt/venv/bin/python /lock/pylock.toml

FROM python:3.11-slim AS light
ENV UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
RUN --mount=type=cache,target=/root/.cache/uv \
    --mount=type=bind,from=bench/uv:1,source=/uv,target=/usr/local/bin/uv \
    --mount=type=bind,source=light/pylock.toml,target=/lock/pylock.toml \
    uv venv /opt/venv && uv pip sync --python /opt/venv/bin/python /lock/pylock.toml

FROM python:3.11-slim
COPY --link --from=heavy /opt/venv /opt/venv
COPY --link --from=light /opt/venv /opt/venv
{{- range .Copy}}
COPY --link {{.}} /app/{{.}}
{{- end}}
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/app
USER 1000:1000
CMD {{.Command}}
