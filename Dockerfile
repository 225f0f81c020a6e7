# Two images of one file, by --target: the predictor with one model version in it
# (docker build --target predictor --build-arg MODEL=v2 -t intent-classifier:v2 .)
# and the promoter that takes it through its rollout.
# What changes least comes first: a new model rebuilds the predictor's last, small layer.
FROM python:3.11-slim AS base
ENV PYTHONPATH=/packages PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1
WORKDIR /app
STOPSIGNAL SIGTERM

FROM base AS promoter-packages
COPY requirements-promoter.lock /
RUN pip install --no-cache-dir --require-hashes --target /packages \
      -r /requirements-promoter.lock

FROM base AS promoter
LABEL org.opencontainers.image.title="intent-canary" \
      org.opencontainers.image.description="Promotes or rolls back a KServe canary by evidence" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=promoter-packages /packages /packages
COPY scripts/__init__.py scripts/canary.py scripts/console.py scripts/entry.py scripts/
COPY scripts/yaml_text.py scripts/
COPY scripts/inference scripts/inference
COPY scripts/rollout scripts/rollout
RUN PYTHONDONTWRITEBYTECODE= python -m compileall -q scripts
USER 65532:65532
ENTRYPOINT ["python", "-m", "scripts.canary"]
CMD ["--help"]

FROM base AS predictor-packages
# psutil, which KServe holds below 6, has no wheel for arm64: it is compiled there.
RUN test "$(uname -m)" = x86_64 || command -v gcc || \
      { apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev; }
COPY requirements-predictor.lock /
RUN pip install --no-cache-dir --require-hashes --target /packages \
      -r /requirements-predictor.lock

FROM base AS predictor
LABEL org.opencontainers.image.title="intent-classifier" \
      org.opencontainers.image.description="A pickled text pipeline behind KServe's protocols" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=predictor-packages /packages /packages
COPY predictor predictor
RUN PYTHONDONTWRITEBYTECODE= python -m compileall -q predictor
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["python", "-m", "predictor"]
# The storage initializer mounts a model there; the manifests name the one that is baked in.
CMD ["--model_name=intent", "--model_dir=/mnt/models"]
ARG MODEL=v1
LABEL org.opencontainers.image.version=${MODEL}
COPY models/${MODEL} models/${MODEL}
