# One model version in one image: docker build --build-arg MODEL=v2 -t intent-classifier:v2 .
# What changes least comes first: a new model rebuilds the last, small layer.
FROM python:3.11-slim AS packages
COPY requirements-predictor.lock /
RUN pip install --no-cache-dir --require-hashes --target /packages \
      -r /requirements-predictor.lock

FROM python:3.11-slim AS predictor
LABEL org.opencontainers.image.title="intent-classifier" \
      org.opencontainers.image.description="A pickled text pipeline behind KServe's protocols" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PYTHONPATH=/packages PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1
WORKDIR /app
COPY --from=packages /packages /packages
COPY predictor predictor
RUN PYTHONDONTWRITEBYTECODE= python -m compileall -q predictor
USER 65532:65532
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "predictor"]
# The storage initializer mounts a model there; the manifests name the one that is baked in.
CMD ["--model_name=intent", "--model_dir=/mnt/models"]
ARG MODEL=v1
LABEL org.opencontainers.image.version=${MODEL}
COPY models/${MODEL} models/${MODEL}
