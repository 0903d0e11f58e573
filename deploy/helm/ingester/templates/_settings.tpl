{{- /* The settings of applicationConfig, with the address of the Redis that the chart starts. */ -}}
{{- define "ajs.settings" -}}
{{- include "ajs.refuseSetting" (list . (list "ingesterHttpAddress")) -}}
{{- $fromChart := dict -}}
{{- if .Values.redis.enabled -}}
{{- $_ := set $fromChart "redisUrl" (include "ajs.redisUrl" .) -}}
{{- end -}}
{{- mergeOverwrite $fromChart .Values.applicationConfig | toYaml -}}
{{- end -}}

{{- define "ajs.redisUrl" -}}
redis://{{ include "ajs.fullname" . }}-redis.{{ .Release.Namespace }}:6379
{{- end -}}
