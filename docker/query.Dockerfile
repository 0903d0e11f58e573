# docker build -f docker/query.Dockerfile -t armada-job-service-query .
# For both platforms: docker buildx build --platform linux/amd64,linux/arm64 ... What is built is JavaScript, the same for all of them.
FROM --platform=$BUILDPLATFORM node:26-trixie-slim@sha256:ec7758ee051e457b468b32bde57b0879010b325bb9862718e9615225ce4aaae1 AS build
WORKDIR /src
ENV CI=1 NX_DAEMON=false
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
RUN npx nx build query

# Node and the libraries that it needs: no shell, no package manager.
FROM gcr.io/distroless/nodejs26-debian13:nonroot@sha256:2ee7b2c54a3e37dfc248af81c9f6bcdcaa50abe4af44aa47a3388431031b9283
ARG VERSION=0.1.0
ARG REVISION=
LABEL org.opencontainers.image.title="armada-job-service-query" \
      org.opencontainers.image.description="Answers the state of the jobs of Armada over gRPC and HTTP, from Redis" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /src/dist/apps/query .
# The user "nonroot", as a number: runAsNonRoot in Kubernetes cannot verify a name.
USER 65532:65532
EXPOSE 60003 8090
# Accepts any certificate: this calls the process itself.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["/nodejs/bin/node", "-e", "const { QUERY_HEALTH_ADDRESS: health, QUERY_TLS_CERT_FILE: tls } = process.env; require(tls && !health ? 'https' : 'http').get({ host: '127.0.0.1', port: health ? health.split(':').pop() : 8090, path: '/healthz', rejectUnauthorized: false }, (r) => process.exit(r.statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
# No shell in between: the process gets SIGTERM itself. The young generation does not shrink with the memory of the container (ADR 32).
ENTRYPOINT ["/nodejs/bin/node", "--enable-source-maps", "--max-semi-space-size=32", "main.js"]
