# The application as an image; docs/deployment/container.md says how to run it.

FROM python:3.11-slim AS build
WORKDIR /app
RUN python -m venv /app/.venv
COPY requirements.txt .
RUN /app/.venv/bin/pip install --no-cache-dir --only-binary :all: -r requirements.txt

FROM python:3.11-slim
ENV PATH=/app/.venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /app
COPY --from=build /app/.venv .venv
COPY . .
# Everything the application keeps lies in its instance folder: the one place it may write to.
RUN install --directory --owner=10001 --group=10001 --mode=0700 /data && ln -s /data instance
USER 10001:10001
VOLUME /data
EXPOSE 8000
# Asked under a host name that the application answers to.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["python", "-c", "\
import os, urllib.request as u; \
host = os.environ.get('TRUSTED_HOSTS', '').split(',')[0].strip() or 'localhost'; \
u.urlopen(u.Request('http://127.0.0.1:8000/readyz', headers={'Host': host}), timeout=4)"]
CMD ["sh", "-c", "flask db upgrade && exec flask serve --host 0.0.0.0"]
