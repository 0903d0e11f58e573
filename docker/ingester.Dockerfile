# docker build -f docker/ingester.Dockerfile -t armada-job-service-ingester .
FROM node:20-bookworm-slim@sha256:2cf067cfed83d5ea958367df9f966191a942351a2df77d6f0193e162b5febfc0 AS build
WORKDIR /src
ENV CI=1 NX_DAEMON=false
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
RUN npx nx build ingester

FROM node:20-bookworm-slim@sha256:2cf067cfed83d5ea958367df9f966191a942351a2df77d6f0193e162b5febfc0
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /src/dist/apps/ingester .
# The user "node", as a number: runAsNonRoot in Kubernetes cannot verify a name.
USER 1000:1000
EXPOSE 8091
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8091/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# No shell in between: the process gets SIGTERM itself. The young generation does not shrink with the memory of the container (ADR 32).
ENTRYPOINT ["node", "--enable-source-maps", "--max-semi-space-size=32", "main.js"]
