{{/* Every partial takes one dict: root (the chart's scope) and name (the component's). */}}

{{- define "sensorium.name" -}}
{{ .root.Release.Name }}-{{ .name }}
{{- end }}

{{/* What a Service or a policy selects pods by; it may never change between releases. */}}
{{- define "sensorium.selector" -}}
app.kubernetes.io/name: sensorium
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end }}

{{- define "sensorium.labels" -}}
{{ include "sensorium.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}
