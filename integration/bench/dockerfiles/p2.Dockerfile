# P2: the best Dockerfile that we can write. uv with a cache mount, two stages, only linked copies on top of the base, so that an
# edit of the application copies the application alone and nothing is unpacked for it.
FROM python:3.11-slim AS dependencies
ENV UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
RUN --mount=type=cache,target=/root/.cache/uv \
    --mount=type=bind,from=bench/uv:1,source=/uv,target=/usr/local/bin/uv \
    --mount=type=bind,source=pylock.toml,target=/lock/pylock.toml \
    uv venv /opt/venv && uv pip sync --python /opt/venv/bin/python /lock/pylock.toml

FROM python:3.11-slim
COPY --link --from=dependencies /opt/venv /opt/venv
{{- range .Copy}}
COPY --link {{.}} /app/{{.}}
{{- end}}
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/app
USER 1000:1000
CMD {{.Command}}
