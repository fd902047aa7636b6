# Builds Fulmar and puts the program alone into a small image.
# The context is the repository: docker build --tag fulmar .

FROM rust:1.95-slim-bookworm AS build
# ring and SQLite are built from C.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends build-essential \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin fulmar

FROM debian:bookworm-slim
# ca-certificates: exchanges speak TLS. curl: the health check.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates curl \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /var/lib/fulmar --create-home fulmar \
 && install --directory --owner=10001 --mode=0700 /var/lib/fulmar/data
COPY --from=build /src/target/release/fulmar /usr/local/bin/fulmar
COPY --from=build /src/config /etc/fulmar
USER 10001
WORKDIR /var/lib/fulmar
# Journal, store and lease live here; lose this folder and the engine has lost its memory.
VOLUME /var/lib/fulmar/data
EXPOSE 8080
# Docker stops with SIGTERM: the engine drains within 10 s.
STOPSIGNAL SIGTERM
# The shell form: the token comes from the environment.
# hadolint ignore=DL3025
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
  CMD curl --fail --silent --show-error --header "Authorization: Bearer ${FULMAR_API_TOKEN}" http://127.0.0.1:8080/api/v1/ping
ENTRYPOINT ["fulmar"]
CMD ["run"]
