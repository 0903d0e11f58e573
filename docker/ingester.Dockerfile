# docker build -f docker/ingester.Dockerfile -t armada-job-service-ingester .
# For both platforms: docker buildx build --platform linux/amd64,linux/arm64 ... What is built is JavaScript, the same for all of them.
FROM --platform=$BUILDPLATFORM node:26-trixie-slim@sha256:ec7758ee051e457b468b32bde57b0879010b325bb9862718e9615225ce4aaae1 AS build
WORKDIR /src
ENV CI=1 NX_DAEMON=false
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
RUN npx nx build ingester

# Node and the libraries that it needs: no shell, no package manager.
FROM gcr.io/distroless/nodejs26-debian13:nonroot@sha256:2ee7b2c54a3e37dfc248af81c9f6bcdcaa50abe4af44aa47a3388431031b9283
ARG VERSION=0.1.0
ARG REVISION=
LABEL org.opencontainers.image.title="armada-job-service-ingester" \
      org.opencontainers.image.description="Follows the event streams of Armada and writes the state of each job to Redis" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /src/dist/apps/ingester .
# The user "nonroot", as a number: runAsNonRoot in Kubernetes cannot verify a name.
USER 65532:65532
EXPOSE 8091
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["/nodejs/bin/node", "-e", "fetch('http://127.0.0.1:8091/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# No shell in between: the process gets SIGTERM itself. The young generation does not shrink with the memory of the container (ADR 32).
ENTRYPOINT ["/nodejs/bin/node", "--enable-source-maps", "--max-semi-space-size=32", "main.js"]
