# P4: pex makes a virtual environment with byte code from the lock in one stage, and the second one copies it, as pex's documentation and
# Pants build images.
FROM python:3.11-slim AS dependencies
ARG WHEELS
RUN pip install --no-cache-dir --no-index --find-links ${WHEELS} pex
RUN --mount=type=cache,target=/root/.cache/pex \
    --mount=type=bind,source=pylock.toml,target=/lock/pylock.toml \
    pex3 venv create --pylock /lock/pylock.toml --dir /opt/venv --site-packages-copies --compile

FROM python:3.11-slim
COPY --link --from=dependencies /opt/venv /opt/venv
{{- range .Copy}}
COPY --link {{.}} /app/{{.}}
{{- end}}
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/app
USER 1000:1000
CMD {{.Command}}
