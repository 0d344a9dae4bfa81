# P1: one stage, pip, what most teams have. Dependencies before the application, no pip cache in the image.
FROM python:3.11-slim
ARG WHEELS
WORKDIR /app
COPY requirements.lock ./
RUN pip install --no-cache-dir --no-index --find-links ${WHEELS} --require-hashes -r requirements.lock
{{- range .Copy}}
COPY {{.}} ./{{.}}
{{- end}}
USER 1000:1000
CMD {{.Command}}
