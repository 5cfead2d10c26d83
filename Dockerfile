# Image of the application. See docs/deployment/container.md for how to run it.

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
# The instance folder holds all data. It is the only place that the application may write to.
RUN install --directory --owner=10001 --group=10001 --mode=0700 /data && ln -s /data instance
USER 10001:10001
VOLUME /data
EXPOSE 8000
# The request must use a host name that the application responds to.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["python", "-c", "\
import os, urllib.request as u; \
host = os.environ.get('TRUSTED_HOSTS', '').split(',')[0].strip() or 'localhost'; \
u.urlopen(u.Request('http://127.0.0.1:8000/readyz', headers={'Host': host}), timeout=4)"]
CMD ["sh", "-c", "flask db upgrade && exec flask serve --host 0.0.0.0"]
