# For compose.yaml: a fake Armada with simulated job sets. Not for production.
FROM node:26-trixie-slim@sha256:ec7758ee051e457b468b32bde57b0879010b325bb9862718e9615225ce4aaae1
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
