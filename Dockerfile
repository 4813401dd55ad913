# The daemon as an image: built from the locked dependencies, without the sandbox; one binary on a
# small Debian, not root, nothing to write to but what is mounted.
#
# The bases are given by digest: `deploy/images.sh build-args` reads deploy/images.env, which the release
# pipeline fills in and which a release is refused without. A build by hand without them uses the tags.
ARG RUST_IMAGE=docker.io/library/rust:1.95.0-slim-bookworm
ARG DEBIAN_IMAGE=docker.io/library/debian:bookworm-slim
ARG POSTGRES_IMAGE=docker.io/library/postgres:15-bookworm

FROM ${RUST_IMAGE} AS build
WORKDIR /build
# What the bundled SQLite and ring are compiled with. Versions are the base image's own snapshot.
# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install -y --no-install-recommends gcc libc6-dev make && \
    rm -rf /var/lib/apt/lists/*
# The dependencies alone: a layer that lasts until Cargo.lock changes. Every crate of ours is empty in it.
COPY rust-toolchain.toml Cargo.toml Cargo.lock ./
COPY crates/codec/Cargo.toml crates/codec/Cargo.toml
COPY crates/core/Cargo.toml crates/core/Cargo.toml
COPY crates/sandbox/Cargo.toml crates/sandbox/Cargo.toml
COPY crates/sim/Cargo.toml crates/sim/Cargo.toml
COPY deploy/image-skeleton.sh deploy/image-skeleton.sh
RUN ./deploy/image-skeleton.sh && \
    cargo build --release --locked --no-default-features --bin xrpayd && \
    ./deploy/image-skeleton.sh --clean
COPY build.rs ./
COPY config config
COPY migrations migrations
COPY crates crates
# Named by the manifest, which is read whole.
COPY benches benches
COPY src src
# There is no git in the build: the commit is told, and shown by `xrpayd --version` and build_info.
ARG XRPAYD_COMMIT=unknown
RUN XRPAYD_COMMIT="${XRPAYD_COMMIT}" \
    cargo build --release --locked --no-default-features --bin xrpayd && \
    strip --strip-debug target/release/xrpayd && \
    mkdir -p /out/var/lib/xrpayd

# The same binary beside PostgreSQL's tools and age: what compose backs its database up with (--target backup).
FROM ${POSTGRES_IMAGE} AS backup
# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install -y --no-install-recommends age && \
    rm -rf /var/lib/apt/lists/* && \
    mkdir -p /backups /scratch /var/lib/xrpayd && \
    chown 10001:10001 /backups /scratch /var/lib/xrpayd
COPY --from=build /build/target/release/xrpayd /usr/local/bin/xrpayd
COPY deploy/backup-loop.sh deploy/backup-postgres.sh deploy/restore-postgres.sh /opt/xrpayd/deploy/
USER 10001:10001
WORKDIR /scratch
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=60s --timeout=10s --start-period=1h --retries=3 \
    CMD ["/opt/xrpayd/deploy/backup-loop.sh", "--is-well", "/backups"]
ENTRYPOINT ["/opt/xrpayd/deploy/backup-loop.sh"]
CMD ["--to", "/backups"]

FROM ${DEBIAN_IMAGE}
# The authorities that the servers of the ledger are verified by.
# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install -y --no-install-recommends ca-certificates && \
    rm -rf /var/lib/apt/lists/* && \
    useradd --system --uid 10001 --user-group --no-create-home --home-dir /var/lib/xrpayd \
    --shell /usr/sbin/nologin xrpayd
COPY --from=build /build/target/release/xrpayd /usr/local/bin/xrpayd
COPY --from=build --chown=10001:10001 /out/var/lib/xrpayd /var/lib/xrpayd
USER 10001:10001
WORKDIR /var/lib/xrpayd
# The only place that it writes to: an SQLite file, and what a machine notes of its last run.
VOLUME ["/var/lib/xrpayd"]
EXPOSE 3000 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 \
    CMD ["xrpayd", "health", "--profile", "production", "--config", "/etc/xrpayd/xrpayd.toml"]
ENTRYPOINT ["xrpayd"]
CMD ["serve", "--profile", "production", "--config", "/etc/xrpayd/xrpayd.toml"]
ARG XRPAYD_COMMIT=unknown
LABEL org.opencontainers.image.title="xrpayd" \
      org.opencontainers.image.description="A self-hosted payment daemon for the XRP Ledger" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${XRPAYD_COMMIT}"
