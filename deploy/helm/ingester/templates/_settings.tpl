{{- /* The settings of applicationConfig, with the address of the Redis that the chart starts. */ -}}
{{- define "ajs.settings" -}}
{{- include "ajs.refuseSetting" (list . (list "ingesterHttpAddress")) -}}
{{- $fromChart := dict -}}
{{- if .Values.redis.enabled -}}
{{- $_ := set $fromChart "redisUrl" (include "ajs.redisUrl" .) -}}
{{- end -}}
{{- mergeOverwrite $fromChart .Values.applicationConfig | toYaml -}}
{{- end -}}

{{- /* 52 characters at most: Kubernetes adds 11 to the name of a StatefulSet for a label of its pods, which has 63. */ -}}
{{- define "ajs.redisName" -}}
{{ include "ajs.fullname" . | trunc 46 | trimSuffix "-" }}-redis
{{- end -}}

{{- define "ajs.redisUrl" -}}
redis://{{ include "ajs.redisName" . }}.{{ .Release.Namespace }}:6379
{{- end -}}
