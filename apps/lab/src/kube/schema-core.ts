/**
 * The built-in kinds in the notation of schema.ts. Field names, list keys and merge keys as in the Kubernetes 1.32
 * API types (k8s.io/api). Rarely used corners (cloud volumes and the like) are `any`.
 */
export const coreSchemas = `
ObjectMeta: name:string generateName:string namespace:string selfLink:string uid:string resourceVersion:string generation:int64 creationTimestamp:time deletionTimestamp:time deletionGracePeriodSeconds:int64 labels:{string} annotations:{string} ownerReferences:[]OwnerReference(uid) finalizers:[]string(set) managedFields:[]any
OwnerReference: apiVersion!:string kind!:string name!:string uid!:string controller:bool blockOwnerDeletion:bool
ListMeta: selfLink:string resourceVersion:string continue:string remainingItemCount:int64
ObjectReference: kind:string namespace:string name:string uid:string apiVersion:string resourceVersion:string fieldPath:string
LocalObjectReference: name:string
LabelSelector: matchLabels:{string} matchExpressions:[]LabelSelectorRequirement
LabelSelectorRequirement: key!:string operator!:string values:[]string
Condition: type!:string status!:string observedGeneration:int64 lastTransitionTime:time reason:string message:string
Namespace: apiVersion:string kind:string metadata:ObjectMeta spec:NamespaceSpec status:NamespaceStatus
NamespaceSpec: finalizers:[]string
NamespaceStatus: phase:string conditions:[]Condition(type)
Node: apiVersion:string kind:string metadata:ObjectMeta spec:NodeSpec status:NodeStatus
NodeSpec: podCIDR:string podCIDRs:[]string(set) providerID:string unschedulable:bool taints:[]Taint configSource:any externalID:string
Taint: key!:string value:string effect!:string timeAdded:time
NodeStatus: capacity:{quantity} allocatable:{quantity} phase:string conditions:[]NodeCondition(type) addresses:[]NodeAddress(type) daemonEndpoints:any nodeInfo:any images:[]any volumesInUse:[]string volumesAttached:[]any config:any runtimeHandlers:[]any features:any
NodeCondition: type!:string status!:string lastHeartbeatTime:time lastTransitionTime:time reason:string message:string
NodeAddress: type!:string address!:string
Pod: apiVersion:string kind:string metadata:ObjectMeta spec:PodSpec status:PodStatus
PodTemplateSpec: metadata:ObjectMeta spec:PodSpec
PodSpec: volumes:[]Volume(name) initContainers:[]Container(name) containers!:[]Container(name) ephemeralContainers:[]Container(name) restartPolicy:string terminationGracePeriodSeconds:int64 activeDeadlineSeconds:int64 dnsPolicy:string nodeSelector:{string} serviceAccountName:string serviceAccount:string automountServiceAccountToken:bool nodeName:string hostNetwork:bool hostPID:bool hostIPC:bool shareProcessNamespace:bool securityContext:PodSecurityContext imagePullSecrets:[]LocalObjectReference(name) hostname:string subdomain:string affinity:Affinity schedulerName:string tolerations:[]Toleration hostAliases:[]HostAlias(ip) priorityClassName:string priority:int32 dnsConfig:any readinessGates:[]any runtimeClassName:string enableServiceLinks:bool preemptionPolicy:string overhead:{quantity} topologySpreadConstraints:[]TopologySpreadConstraint(topologyKey,whenUnsatisfiable|topologyKey) setHostnameAsFQDN:bool os:any hostUsers:bool schedulingGates:[]SchedulingGate(name) resourceClaims:[]any resources:ResourceRequirements
SchedulingGate: name!:string
HostAlias: ip!:string hostnames:[]string
Affinity: nodeAffinity:any podAffinity:any podAntiAffinity:any
Toleration: key:string operator:string value:string effect:string tolerationSeconds:int64
TopologySpreadConstraint: maxSkew!:int32 topologyKey!:string whenUnsatisfiable!:string labelSelector:LabelSelector@atomic minDomains:int32 nodeAffinityPolicy:string nodeTaintsPolicy:string matchLabelKeys:[]string
PodSecurityContext: seLinuxOptions:any windowsOptions:any runAsUser:int64 runAsGroup:int64 runAsNonRoot:bool supplementalGroups:[]int64 supplementalGroupsPolicy:string fsGroup:int64 sysctls:[]any fsGroupChangePolicy:string seccompProfile:any appArmorProfile:any seLinuxChangePolicy:string
Volume: name!:string hostPath:any emptyDir:any gcePersistentDisk:any awsElasticBlockStore:any gitRepo:any secret:SecretVolume nfs:any iscsi:any glusterfs:any persistentVolumeClaim:any rbd:any flexVolume:any cinder:any cephfs:any flocker:any downwardAPI:any fc:any azureFile:any configMap:ConfigMapVolume vsphereVolume:any quobyte:any azureDisk:any photonPersistentDisk:any projected:ProjectedVolume portworxVolume:any scaleIO:any storageos:any csi:any ephemeral:any image:any
SecretVolume: secretName:string items:[]any defaultMode:int32 optional:bool
ConfigMapVolume: name:string items:[]any defaultMode:int32 optional:bool
ProjectedVolume: sources:[]any defaultMode:int32
Container: name!:string image:string command:[]string args:[]string workingDir:string ports:[]ContainerPort(containerPort,protocol|containerPort) envFrom:[]EnvFromSource env:[]EnvVar(name) resources:ResourceRequirements resizePolicy:[]any restartPolicy:string volumeMounts:[]VolumeMount(mountPath) volumeDevices:[]any livenessProbe:Probe readinessProbe:Probe startupProbe:Probe lifecycle:any terminationMessagePath:string terminationMessagePolicy:string imagePullPolicy:string securityContext:SecurityContext stdin:bool stdinOnce:bool tty:bool targetContainerName:string
SecurityContext: capabilities:any privileged:bool seLinuxOptions:any windowsOptions:any runAsUser:int64 runAsGroup:int64 runAsNonRoot:bool readOnlyRootFilesystem:bool allowPrivilegeEscalation:bool procMount:string seccompProfile:any appArmorProfile:any
ContainerPort: name:string hostPort:int32 containerPort!:int32 protocol:string hostIP:string
EnvFromSource: prefix:string configMapRef:any secretRef:any
EnvVar: name!:string value:string valueFrom:EnvVarSource
EnvVarSource: fieldRef:ObjectFieldSelector@atomic resourceFieldRef:ResourceFieldSelector@atomic configMapKeyRef:KeySelector@atomic secretKeyRef:KeySelector@atomic
ObjectFieldSelector: apiVersion:string fieldPath!:string
ResourceFieldSelector: containerName:string resource!:string divisor:quantity
KeySelector: name:string key!:string optional:bool
ResourceRequirements: limits:{quantity} requests:{quantity} claims:[]ResourceClaim(name)
ResourceClaim: name!:string request:string
VolumeMount: name!:string readOnly:bool recursiveReadOnly:string mountPath!:string subPath:string mountPropagation:string subPathExpr:string
Probe: exec:ExecAction httpGet:HTTPGetAction tcpSocket:TCPSocketAction grpc:any initialDelaySeconds:int32 timeoutSeconds:int32 periodSeconds:int32 successThreshold:int32 failureThreshold:int32 terminationGracePeriodSeconds:int64
ExecAction: command:[]string
HTTPGetAction: path:string port!:intstr host:string scheme:string httpHeaders:[]any
TCPSocketAction: port!:intstr host:string
PodStatus: phase:string conditions:[]PodCondition(type) message:string reason:string nominatedNodeName:string hostIP:string hostIPs:[]any podIP:string podIPs:[]PodIP(ip) startTime:time initContainerStatuses:[]any containerStatuses:[]any qosClass:string ephemeralContainerStatuses:[]any resize:string resourceClaimStatuses:[]any observedGeneration:int64
PodIP: ip!:string
PodCondition: type!:string status!:string lastProbeTime:time lastTransitionTime:time reason:string message:string observedGeneration:int64
Service: apiVersion:string kind:string metadata:ObjectMeta spec:ServiceSpec status:ServiceStatus
ServiceSpec: ports:[]ServicePort(port,protocol|port) selector:{string} clusterIP:string clusterIPs:[]string type:string externalIPs:[]string sessionAffinity:string loadBalancerIP:string loadBalancerSourceRanges:[]string externalName:string externalTrafficPolicy:string healthCheckNodePort:int32 publishNotReadyAddresses:bool sessionAffinityConfig:any ipFamilies:[]string ipFamilyPolicy:string allocateLoadBalancerNodePorts:bool loadBalancerClass:string internalTrafficPolicy:string trafficDistribution:string
ServicePort: name:string protocol:string appProtocol:string port!:int32 targetPort:intstr nodePort:int32
ServiceStatus: loadBalancer:LoadBalancerStatus conditions:[]Condition(type)
LoadBalancerStatus: ingress:[]any
Endpoints: apiVersion:string kind:string metadata:ObjectMeta subsets:[]EndpointSubset
EndpointSubset: addresses:[]EndpointAddress notReadyAddresses:[]EndpointAddress ports:[]EndpointPort
EndpointAddress: ip!:string hostname:string nodeName:string targetRef:ObjectReference@atomic
EndpointPort: name:string port!:int32 protocol:string appProtocol:string
ConfigMap: apiVersion:string kind:string metadata:ObjectMeta immutable:bool data:{string} binaryData:{bytes}
Secret: apiVersion:string kind:string metadata:ObjectMeta immutable:bool data:{bytes} stringData:{string} type:string
ServiceAccount: apiVersion:string kind:string metadata:ObjectMeta secrets:[]ObjectReference(name) imagePullSecrets:[]LocalObjectReference automountServiceAccountToken:bool
Event: apiVersion:string kind:string metadata:ObjectMeta involvedObject!:ObjectReference reason:string message:string source:EventSource firstTimestamp:time lastTimestamp:time count:int32 type:string eventTime:time series:EventSeries action:string related:ObjectReference reportingComponent:string reportingInstance:string
EventSource: component:string host:string
EventSeries: count:int32 lastObservedTime:time
Deployment: apiVersion:string kind:string metadata:ObjectMeta spec:DeploymentSpec status:DeploymentStatus
DeploymentSpec: replicas:int32 selector!:LabelSelector@atomic template!:PodTemplateSpec strategy:DeploymentStrategy@retain minReadySeconds:int32 revisionHistoryLimit:int32 paused:bool progressDeadlineSeconds:int32
DeploymentStrategy: type:string rollingUpdate:RollingUpdateDeployment
RollingUpdateDeployment: maxUnavailable:intstr maxSurge:intstr
DeploymentStatus: observedGeneration:int64 replicas:int32 updatedReplicas:int32 readyReplicas:int32 availableReplicas:int32 unavailableReplicas:int32 terminatingReplicas:int32 conditions:[]DeploymentCondition(type) collisionCount:int32
DeploymentCondition: type!:string status!:string lastUpdateTime:time lastTransitionTime:time reason:string message:string
ReplicaSet: apiVersion:string kind:string metadata:ObjectMeta spec:ReplicaSetSpec status:ReplicaSetStatus
ReplicaSetSpec: replicas:int32 minReadySeconds:int32 selector!:LabelSelector@atomic template:PodTemplateSpec
ReplicaSetStatus: replicas:int32 fullyLabeledReplicas:int32 readyReplicas:int32 availableReplicas:int32 terminatingReplicas:int32 observedGeneration:int64 conditions:[]Condition(type)
StatefulSet: apiVersion:string kind:string metadata:ObjectMeta spec:StatefulSetSpec status:StatefulSetStatus
StatefulSetSpec: replicas:int32 selector!:LabelSelector@atomic template!:PodTemplateSpec volumeClaimTemplates:[]any serviceName:string podManagementPolicy:string updateStrategy:RolloutStrategy revisionHistoryLimit:int32 minReadySeconds:int32 persistentVolumeClaimRetentionPolicy:any ordinals:any
RolloutStrategy: type:string rollingUpdate:any
StatefulSetStatus: observedGeneration:int64 replicas:int32 readyReplicas:int32 currentReplicas:int32 updatedReplicas:int32 currentRevision:string updateRevision:string collisionCount:int32 conditions:[]Condition(type) availableReplicas:int32
DaemonSet: apiVersion:string kind:string metadata:ObjectMeta spec:DaemonSetSpec status:DaemonSetStatus
DaemonSetSpec: selector!:LabelSelector@atomic template!:PodTemplateSpec updateStrategy:RolloutStrategy minReadySeconds:int32 revisionHistoryLimit:int32
DaemonSetStatus: currentNumberScheduled:int32 numberMisscheduled:int32 desiredNumberScheduled:int32 numberReady:int32 observedGeneration:int64 updatedNumberScheduled:int32 numberAvailable:int32 numberUnavailable:int32 collisionCount:int32 conditions:[]Condition(type)
EndpointSlice: apiVersion:string kind:string metadata:ObjectMeta addressType!:string endpoints:[]Endpoint ports:[]EndpointPort
Endpoint: addresses!:[]string conditions:EndpointConditions hostname:string targetRef:ObjectReference@atomic deprecatedTopology:{string} nodeName:string zone:string hints:any
EndpointConditions: ready:bool serving:bool terminating:bool
EventsEvent: apiVersion:string kind:string metadata:ObjectMeta eventTime:time series:EventSeries reportingController:string reportingInstance:string action:string reason:string regarding:ObjectReference related:ObjectReference note:string type:string deprecatedSource:EventSource deprecatedFirstTimestamp:time deprecatedLastTimestamp:time deprecatedCount:int32
PodDisruptionBudget: apiVersion:string kind:string metadata:ObjectMeta spec:PodDisruptionBudgetSpec status:PodDisruptionBudgetStatus
PodDisruptionBudgetSpec: minAvailable:intstr selector:LabelSelector@atomic maxUnavailable:intstr unhealthyPodEvictionPolicy:string
PodDisruptionBudgetStatus: observedGeneration:int64 disruptedPods:{time} disruptionsAllowed:int32 currentHealthy:int32 desiredHealthy:int32 expectedPods:int32 conditions:[]Condition(type)
HorizontalPodAutoscaler: apiVersion:string kind:string metadata:ObjectMeta spec:HorizontalPodAutoscalerSpec status:HorizontalPodAutoscalerStatus
HorizontalPodAutoscalerSpec: scaleTargetRef!:CrossVersionObjectReference minReplicas:int32 maxReplicas!:int32 metrics:[]any behavior:any
CrossVersionObjectReference: kind!:string name!:string apiVersion:string
HorizontalPodAutoscalerStatus: observedGeneration:int64 lastScaleTime:time currentReplicas:int32 desiredReplicas:int32 currentMetrics:[]any conditions:[]Condition(type)
Lease: apiVersion:string kind:string metadata:ObjectMeta spec:LeaseSpec
LeaseSpec: holderIdentity:string leaseDurationSeconds:int32 acquireTime:time renewTime:time leaseTransitions:int32 strategy:string preferredHolder:string
Scale: apiVersion:string kind:string metadata:ObjectMeta spec:ScaleSpec status:ScaleStatus
ScaleSpec: replicas:int32
ScaleStatus: replicas!:int32 selector:string
PodMetrics: apiVersion:string kind:string metadata:ObjectMeta timestamp:time window:string containers:[]ContainerMetrics
ContainerMetrics: name!:string usage!:{quantity}
NodeMetrics: apiVersion:string kind:string metadata:ObjectMeta timestamp:time window:string usage:{quantity}
CustomResourceDefinition: apiVersion:string kind:string metadata:ObjectMeta spec:any status:any
SelfSubjectAccessReview: apiVersion:string kind:string metadata:ObjectMeta spec!:SelfSubjectAccessReviewSpec status:any
SelfSubjectAccessReviewSpec: resourceAttributes:ResourceAttributes nonResourceAttributes:NonResourceAttributes
ResourceAttributes: namespace:string verb:string group:string version:string resource:string subresource:string name:string fieldSelector:any labelSelector:any
NonResourceAttributes: path:string verb:string
Eviction: apiVersion:string kind:string metadata:ObjectMeta deleteOptions:DeleteOptions
DeleteOptions: apiVersion:string kind:string gracePeriodSeconds:int64 preconditions:Preconditions orphanDependents:bool propagationPolicy:string dryRun:[]string ignoreStoreReadErrorWithClusterBreakingPotential:bool
Preconditions: uid:string resourceVersion:string
Status: apiVersion:string kind:string metadata:ListMeta status:string message:string reason:string details:any code:int32
`;
