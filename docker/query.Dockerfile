# docker build -f docker/query.Dockerfile -t armada-job-service-query .
FROM node:20-bookworm-slim@sha256:2cf067cfed83d5ea958367df9f966191a942351a2df77d6f0193e162b5febfc0 AS build
WORKDIR /src
ENV CI=1 NX_DAEMON=false
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
RUN npx nx build query

FROM node:20-bookworm-slim@sha256:2cf067cfed83d5ea958367df9f966191a942351a2df77d6f0193e162b5febfc0
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /src/dist/apps/query .
# The user "node", as a number: runAsNonRoot in Kubernetes cannot verify a name.
USER 1000:1000
EXPOSE 60003 8090
# Accepts any certificate: this calls the process itself.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "const { QUERY_HEALTH_ADDRESS: health, QUERY_TLS_CERT_FILE: tls } = process.env; require(tls && !health ? 'https' : 'http').get({ host: '127.0.0.1', port: health ? health.split(':').pop() : 8090, path: '/healthz', rejectUnauthorized: false }, (r) => process.exit(r.statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
# No shell in between: the process gets SIGTERM itself. The young generation does not shrink with the memory of the container (ADR 32).
ENTRYPOINT ["node", "--enable-source-maps", "--max-semi-space-size=32", "main.js"]
