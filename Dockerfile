# The command `dlir-tf` in a container, with the exact versions of requirements.txt, for
# one's own files on a CPU; docs/docker.md says how it's used.
FROM python:3.13-slim-bookworm AS build
WORKDIR /build
# What builds the package is held to the same versions.
ENV PIP_CONSTRAINT=/build/requirements.txt \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
COPY requirements.txt pyproject.toml README.md LICENSE ./
COPY dlir_tf ./dlir_tf
RUN python -m venv /opt/dlir-tf \
    && /opt/dlir-tf/bin/pip install . \
    && /opt/dlir-tf/bin/dlir-tf --version

FROM python:3.13-slim-bookworm
LABEL org.opencontainers.image.title="dlir-tf" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/dlir-tf /opt/dlir-tf
# Libraries keep what they compile and look up at home, where any user may write.
ENV PATH=/opt/dlir-tf/bin:$PATH \
    HOME=/tmp
# Nobody's user; `docker run --user` makes it that of the files.
USER 65534:65534
WORKDIR /data
ENTRYPOINT ["dlir-tf"]
CMD ["--help"]
