{{- /*
What both charts share: the same file in each, so that a chart is whole without the other one. A test compares them.
*/ -}}

{{- define "ajs.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- /* The release's name where it says what the chart is, else both names. 50 characters leave room for endings such as "-headless". */ -}}
{{- define "ajs.fullname" -}}
{{- $name := include "ajs.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "ajs.selectorLabels" -}}
app.kubernetes.io/name: {{ include "ajs.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "ajs.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "ajs.selectorLabels" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: armada-job-service
{{- with .Values.additionalLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "ajs.metadata" -}}
name: {{ include "ajs.fullname" . | quote }}
namespace: {{ .Release.Namespace | quote }}
labels:
  {{- include "ajs.labels" . | nindent 2 }}
{{- end -}}

{{- define "ajs.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ with .Values.image.digest }}@{{ . }}{{ end }}
{{- end -}}

{{- define "ajs.serviceAccountName" -}}
{{- .Values.customServiceAccount | default (include "ajs.fullname" .) -}}
{{- end -}}

{{- define "ajs.serviceAccount" -}}
{{- if not .Values.customServiceAccount -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "ajs.metadata" . | nindent 2 }}
  {{- with (.Values.serviceAccount).annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end -}}
{{- end -}}

{{- /* The Secret with settings.yaml: the chart's own, or one that is there. */ -}}
{{- define "ajs.settingsSecretName" -}}
{{- .Values.existingSettingsSecret | default (printf "%s-settings" (include "ajs.fullname" .)) -}}
{{- end -}}

{{- /* Settings may hold logins, so they are a Secret. Expects the settings as the second of a list. */ -}}
{{- define "ajs.settingsSecret" -}}
{{- $ := index . 0 -}}
{{- if not $.Values.existingSettingsSecret -}}
apiVersion: v1
kind: Secret
metadata:
  name: {{ include "ajs.settingsSecretName" $ | quote }}
  namespace: {{ $.Release.Namespace | quote }}
  labels:
    {{- include "ajs.labels" $ | nindent 4 }}
type: Opaque
stringData:
  settings.yaml: |
    {{- toYaml (index . 1) | nindent 4 }}
{{- end -}}
{{- end -}}

{{- /* What the pods of both charts have: all of a pod template but its containers' ports, probes and life. Expects the settings as the
second of a list. */ -}}
{{- define "ajs.podMetadata" -}}
{{- $ := index . 0 -}}
labels:
  {{- include "ajs.labels" $ | nindent 2 }}
annotations:
  {{- if not $.Values.existingSettingsSecret }}
  # New settings start new pods.
  checksum/settings: {{ toYaml (index . 1) | sha256sum }}
  {{- end }}
  {{- with $.Values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "ajs.podSpec" -}}
serviceAccountName: {{ include "ajs.serviceAccountName" . | quote }}
automountServiceAccountToken: {{ .Values.automountServiceAccountToken }}
# Variables for each service of the namespace would be taken for settings.
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  {{- if .Values.topologySpreadConstraints }}
  {{- toYaml .Values.topologySpreadConstraints | nindent 2 }}
  {{- else }}
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "ajs.selectorLabels" $ | nindent 8 }}
  {{- end }}
  {{- end }}
volumes:
  - name: settings
    secret:
      secretName: {{ include "ajs.settingsSecretName" . | quote }}
  {{- with .Values.additionalVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "ajs.settingsFolder" -}}
/etc/armada-job-service
{{- end -}}

{{- /* A container but for its name, arguments, ports, probes and life. */ -}}
{{- define "ajs.container" -}}
image: {{ include "ajs.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- with .Values.env }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
volumeMounts:
  - name: settings
    mountPath: {{ include "ajs.settingsFolder" . }}
    readOnly: true
  {{- with .Values.additionalVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- /* For `helm test`: a pod with the settings, credentials and rights of the others, which tries all of these. */ -}}
{{- define "ajs.test" -}}
apiVersion: v1
kind: Pod
metadata:
  name: {{ include "ajs.fullname" . }}-check
  namespace: {{ .Release.Namespace | quote }}
  labels:
    # Not those by which Services select.
    app.kubernetes.io/name: {{ include "ajs.name" . }}-check
    app.kubernetes.io/instance: {{ .Release.Name | quote }}
    app.kubernetes.io/part-of: armada-job-service
  annotations:
    helm.sh/hook: test
    helm.sh/hook-delete-policy: before-hook-creation
spec:
  restartPolicy: Never
  {{- include "ajs.podSpec" . | nindent 2 }}
  containers:
    - name: check
      args: ['--config', '{{ include "ajs.settingsFolder" . }}/settings.yaml', '--check-config']
      {{- include "ajs.container" . | nindent 6 }}
{{- end -}}

{{- define "ajs.deploymentSpec" -}}
{{- if and .Values.autoscaling.enabled .Values.keda.enabled -}}
{{- fail "autoscaling.enabled and keda.enabled exclude each other: both would set the number of replicas. Switch one of them off." -}}
{{- end -}}
revisionHistoryLimit: 5
{{- if not (or .Values.autoscaling.enabled .Values.keda.enabled) }}
replicas: {{ .Values.replicas }}
{{- end }}
strategy:
  {{- /* The type Recreate has no more fields, and ours would be among the values still. */}}
  {{- toYaml (eq .Values.strategy.type "RollingUpdate" | ternary .Values.strategy (pick .Values.strategy "type")) | nindent 2 }}
selector:
  matchLabels:
    {{- include "ajs.selectorLabels" . | nindent 4 }}
{{- end -}}

{{- define "ajs.podDisruptionBudget" -}}
{{- with .Values.podDisruptionBudget -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "ajs.metadata" $ | nindent 2 }}
spec:
  selector:
    matchLabels:
      {{- include "ajs.selectorLabels" $ | nindent 6 }}
  {{- /* Kubernetes takes one of the two, and a minAvailable of the user's comes on top of our maxUnavailable. */}}
  {{- toYaml (hasKey . "minAvailable" | ternary (omit . "maxUnavailable") .) | nindent 2 }}
{{- end -}}
{{- end -}}

{{- define "ajs.horizontalPodAutoscaler" -}}
{{- if .Values.autoscaling.enabled -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "ajs.metadata" . | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "ajs.fullname" . | quote }}
  minReplicas: {{ .Values.autoscaling.minReplicas }}
  maxReplicas: {{ .Values.autoscaling.maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ .Values.autoscaling.targetCPUUtilizationPercentage }}
    {{- range $metric, $value := .Values.autoscaling.podMetrics }}
    - type: Pods
      pods:
        metric:
          name: {{ $metric }}
        target:
          type: AverageValue
          averageValue: {{ $value | quote }}
    {{- end }}
  {{- with .Values.autoscaling.behavior }}
  behavior:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
{{- end -}}

{{- define "ajs.scaledObject" -}}
{{- if .Values.keda.enabled -}}
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  {{- include "ajs.metadata" . | nindent 2 }}
spec:
  scaleTargetRef:
    name: {{ include "ajs.fullname" . | quote }}
  minReplicaCount: {{ .Values.autoscaling.minReplicas }}
  maxReplicaCount: {{ .Values.autoscaling.maxReplicas }}
  {{- with .Values.autoscaling.behavior }}
  advanced:
    horizontalPodAutoscalerConfig:
      behavior:
        {{- toYaml . | nindent 8 }}
  {{- end }}
  triggers:
    - type: cpu
      metricType: Utilization
      metadata:
        value: {{ .Values.autoscaling.targetCPUUtilizationPercentage | quote }}
    {{- range .Values.keda.prometheusTriggers }}
    - type: prometheus
      metricType: {{ .metricType | default "AverageValue" }}
      metadata:
        serverAddress: {{ required "keda.serverAddress is empty: give the address of Prometheus, such as http://prometheus.monitoring:9090" $.Values.keda.serverAddress | quote }}
        query: {{ tpl .query $ | quote }}
        threshold: {{ .threshold | quote }}
    {{- end }}
{{- end -}}
{{- end -}}

{{- /* Expects the root, and the name of the port with /metrics. */ -}}
{{- define "ajs.podMonitor" -}}
{{- $ := index . 0 -}}
{{- if $.Values.prometheus.enabled -}}
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata:
  {{- include "ajs.metadata" $ | nindent 2 }}
    {{- with $.Values.prometheus.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  selector:
    matchLabels:
      {{- include "ajs.selectorLabels" $ | nindent 6 }}
  namespaceSelector:
    matchNames: [{{ $.Release.Namespace | quote }}]
  podMetricsEndpoints:
    - port: {{ index . 1 }}
      path: /metrics
      interval: {{ $.Values.prometheus.scrapeInterval }}
      scrapeTimeout: {{ $.Values.prometheus.scrapeTimeout }}
{{- end -}}
{{- end -}}

{{- /* Expects the root, the ports for callers, and the port of health and metrics. */ -}}
{{- define "ajs.networkPolicy" -}}
{{- $ := index . 0 -}}
{{- if $.Values.networkPolicy.enabled -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "ajs.metadata" $ | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "ajs.selectorLabels" $ | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    {{- with index . 1 }}
    - ports:
        {{- range . }}
        - { protocol: TCP, port: {{ . }} }
        {{- end }}
      {{- with $.Values.networkPolicy.callers }}
      from:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    {{- end }}
    - ports:
        - { protocol: TCP, port: {{ index . 2 }} }
      {{- with $.Values.networkPolicy.monitoring }}
      from:
        {{- toYaml . | nindent 8 }}
      {{- end }}
  egress:
    {{- with $.Values.networkPolicy.egress }}
    - ports:
        - { protocol: UDP, port: 53 }
        - { protocol: TCP, port: 53 }
    {{- toYaml . | nindent 4 }}
    {{- else }}
    - {}
    {{- end }}
{{- end -}}
{{- end -}}

{{- /* Fails where applicationConfig has a setting that the chart must know. Expects the root and the names of these settings. */ -}}
{{- define "ajs.refuseSetting" -}}
{{- $ := index . 0 -}}
{{- range index . 1 -}}
{{- if hasKey $.Values.applicationConfig . -}}
{{- fail (printf "applicationConfig.%s: the chart sets it, since its ports and probes depend on it. Leave it out." .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
