{{- /*
The settings of applicationConfig, with those that follow from the chart: health and metrics have a port of their own, which callers cannot
fill and which has no TLS, so that probes reach it; and the names by which the pods are reached are the only ones that HTTP answers to.
*/ -}}
{{- define "ajs.settings" -}}
{{- include "ajs.refuseSetting" (list . (list "queryGrpcAddress" "queryHttpAddress" "queryHealthAddress")) -}}
{{- $service := include "ajs.fullname" . -}}
{{- $names := list $service (printf "%s.%s" $service .Release.Namespace) (printf "%s.%s.svc" $service .Release.Namespace) (printf "%s.%s.svc.cluster.local" $service .Release.Namespace) -}}
{{- $fromChart := dict "queryHealthAddress" "0.0.0.0:8092" "queryAllowedHosts" (concat $names .Values.hostnames | join ",") -}}
{{- mergeOverwrite $fromChart .Values.applicationConfig | toYaml -}}
{{- end -}}

{{- /* Whether the ports may have TLS: what is in a Secret of the user's own is not known here. */ -}}
{{- define "ajs.hasTls" -}}
{{- if or .Values.applicationConfig.queryTlsCertFile .Values.existingSettingsSecret }}true{{ end -}}
{{- end -}}
