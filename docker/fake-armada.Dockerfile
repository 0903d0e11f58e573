# For compose.yaml: a fake Armada with simulated job sets. Not for production.
FROM node:20-bookworm-slim@sha256:2cf067cfed83d5ea958367df9f966191a942351a2df77d6f0193e162b5febfc0
WORKDIR /src
ENV CI=1 NX_DAEMON=false
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
RUN npx nx build fake-armada
# The user "node", as a number: runAsNonRoot in Kubernetes cannot verify a name.
USER 1000:1000
EXPOSE 50051
ENTRYPOINT ["node", "dist/tools/fake-armada/main.js", "--address", "0.0.0.0:50051"]
CMD ["--job-sets", "4", "--jobs", "20", "--rate", "12"]
