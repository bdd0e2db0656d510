{{/* The Deployment and the Service of one room: root and name, as in _names.tpl, and room, its merged values. */}}

{{- define "sensorium.roomEnv" -}}
{{- $prefix := .name | upper | replace "-" "_" }}
- {name: {{ $prefix }}_LISTEN, value: "0.0.0.0:8080"}
- {name: {{ $prefix }}_DRAIN_SECONDS, value: {{ .room.drainSeconds | quote }}}
{{- range $variable, $peer := .room.peers }}
- {name: {{ $variable }}, value: "{{ include "sensorium.name" (dict "root" $.root "name" $peer) }}:8080"}
{{- end }}
{{- with index .root.Values.engines .name }}
- {name: {{ $prefix }}_ENGINE, value: {{ .protocol }}}
- {name: {{ $prefix }}_ENGINE_URL, value: {{ .url | quote }}}
{{- with .model }}
- {name: {{ $prefix }}_MODEL, value: {{ . | quote }}}
{{- end }}
{{- end }}
{{- if .room.media }}
- {name: JOBS_MEDIA_URL, value: {{ .root.Values.media.url | default "file:///media" | quote }}}
{{- with .root.Values.media.fetchAllow }}
- {name: JOBS_FETCH_ALLOW, value: {{ join "," . | quote }}}
{{- end }}
{{- with .root.Values.domain }}
{{- if .apiUrl }}
- {name: API_URL, value: {{ .apiUrl | quote }}}
- {name: DDS_URL, value: {{ .ddsUrl | quote }}}
{{- if eq $.name "worker" }}
- {name: CLIENT_ID, value: {{ .clientId | quote }}}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- if .room.webhooks }}
{{- with .root.Values.webhooks.allow }}
- {name: JOBS_WEBHOOK_ALLOW, value: {{ join "," . | quote }}}
{{- end }}
{{- if .root.Values.webhooks.http }}
- {name: JOBS_WEBHOOK_HTTP, value: "true"}
{{- end }}
{{- end }}
{{- with .root.Values.telemetry.collector }}
- {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: "http://{{ . }}"}
{{- end }}
{{- if .room.modelsClaim }}
- {name: SENSORIUM_MODELS, value: /models}
{{- end }}
{{- range $variable, $value := .room.env }}
- {name: {{ $variable }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}

{{- define "sensorium.roomSecrets" -}}
{{- if .room.database }}
{{ include "sensorium.databaseSecret" . }}
{{- end }}
{{- if and (eq .name "worker") .root.Values.domain.apiUrl }}
- secret:
    name: {{ .root.Values.domain.secret }}
    items:
      - {key: POSEMESH_EMAIL, path: POSEMESH_EMAIL}
      - {key: POSEMESH_PASSWORD, path: POSEMESH_PASSWORD}
{{- end }}
{{- if .room.webhooks }}
- secret:
    name: {{ .root.Values.webhooks.secret | default (include "sensorium.name" (dict "root" .root "name" "webhooks")) }}
    items: [{key: JOBS_WEBHOOK_KEYS, path: JOBS_WEBHOOK_KEYS}]
{{- end }}
{{- with index .root.Values.engines .name }}
{{- if .secret }}
{{- $key := printf "%s_ENGINE_API_KEY" (upper $.name) }}
- secret:
    name: {{ .secret }}
    items: [{key: {{ $key }}, path: {{ $key }}}]
{{- end }}
{{- end }}
{{- end }}

{{/* Whether the process is up and not draining. What it stands on is not asked: a room whose engine is down must
     stay reachable to say so, and restarting it would not help. */}}
{{- define "sensorium.roomProbe" -}}
{{- if eq .room.protocol "grpc" -}}
grpc: {port: 8080}
{{- else -}}
httpGet: {path: /healthz, port: 8080}
{{- end }}
{{- end }}

{{- define "sensorium.roomDeployment" -}}
{{- $secrets := include "sensorium.roomSecrets" . | trim }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "sensorium.name" . }}
  labels:
    {{- include "sensorium.labels" . | nindent 4 }}
spec:
  replicas: {{ .room.replicas }}
  selector:
    matchLabels:
      {{- include "sensorium.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "sensorium.labels" . | nindent 8 }}
    spec:
      serviceAccountName: {{ include "sensorium.name" . }}
      {{- include "sensorium.pod" . | nindent 6 }}
      {{- include "sensorium.spread" . | nindent 6 }}
      # The pause before the stop, the drain, and time to end.
      terminationGracePeriodSeconds: {{ add 5 .room.drainSeconds 10 }}
      containers:
        - name: {{ .name }}
          {{- include "sensorium.container" . | nindent 10 }}
          args: [{{ .room.module }}]
          env:
            {{- include "sensorium.roomEnv" . | trim | nindent 12 }}
          {{- if and .room.media .root.Values.media.secret }}
          envFrom:
            - secretRef: {name: {{ .root.Values.media.secret }}}
          {{- end }}
          ports:
            - {name: {{ .room.protocol }}, containerPort: 8080}
          startupProbe:
            {{- include "sensorium.roomProbe" . | nindent 12 }}
            periodSeconds: 2
            failureThreshold: 90
          readinessProbe:
            {{- include "sensorium.roomProbe" . | nindent 12 }}
            periodSeconds: 5
          livenessProbe:
            {{- include "sensorium.roomProbe" . | nindent 12 }}
            periodSeconds: 10
            timeoutSeconds: 5
          lifecycle:
            # Callers must learn that the pod leaves before it stops taking calls.
            preStop: {sleep: {seconds: 5}}
          resources:
            {{- toYaml .room.resources | nindent 12 }}
          volumeMounts:
            - {name: scratch, mountPath: /tmp}
            {{- if $secrets }}
            - {name: secrets, mountPath: /run/secrets, readOnly: true}
            {{- end }}
            {{- if and .room.media .root.Values.media.claim }}
            - {name: media, mountPath: /media}
            {{- end }}
            {{- if .room.modelsClaim }}
            - {name: models, mountPath: /models, readOnly: true}
            {{- end }}
      volumes:
        - name: scratch
          emptyDir: {sizeLimit: 1Gi}
        {{- if $secrets }}
        - name: secrets
          projected:
            defaultMode: 0440
            sources:
              {{- $secrets | nindent 14 }}
        {{- end }}
        {{- if and .room.media .root.Values.media.claim }}
        - name: media
          persistentVolumeClaim: {claimName: {{ .root.Values.media.claim }}}
        {{- end }}
        {{- with .room.modelsClaim }}
        - name: models
          persistentVolumeClaim: {claimName: {{ . }}, readOnly: true}
        {{- end }}
{{- end }}

{{/* Headless, because gRPC keeps one connection for ever: callers must see every pod and spread calls themselves. */}}
{{- define "sensorium.roomService" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "sensorium.name" . }}
  labels:
    {{- include "sensorium.labels" . | nindent 4 }}
spec:
  clusterIP: None
  selector:
    {{- include "sensorium.selector" . | nindent 4 }}
  ports:
    - name: {{ .room.protocol }}
      port: 8080
      targetPort: {{ .room.protocol }}
{{- end }}
