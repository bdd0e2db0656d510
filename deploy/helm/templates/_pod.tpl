{{/* What every pod and container of the mesh has in common: root and name, as in _names.tpl. */}}

{{- define "sensorium.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* Replicas go to different nodes where there are several. */}}
{{- define "sensorium.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "sensorium.selector" . | nindent 8 }}
{{- end }}

{{- define "sensorium.container" -}}
image: {{ .root.Values.image.repository }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* The database's address as a file, for the rooms and the migrations alike. */}}
{{- define "sensorium.databaseSecret" -}}
- secret:
    name: {{ .root.Values.database.secret }}
    items: [{key: JOBS_DATABASE_URL, path: JOBS_DATABASE_URL}]
{{- end }}

{{- define "sensorium.accountAndBudget" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "sensorium.name" . }}
  labels:
    {{- include "sensorium.labels" . | nindent 4 }}
automountServiceAccountToken: false
{{- if gt (int .replicas) 1 }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "sensorium.name" . }}
  labels:
    {{- include "sensorium.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "sensorium.selector" . | nindent 6 }}
{{- end }}
{{- end }}
