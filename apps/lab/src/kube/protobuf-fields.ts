/**
 * Protobuf field numbers of the types that kubectl's `create` commands, evictions and deletions send, from the
 * `generated.proto` files of k8s.io/api and k8s.io/apimachinery 1.32. `*` marks pointers to scalars, where zero is a
 * value; `-` marks fields that a client's word does not count for.
 */
export const protobufFields = `
ObjectMeta: name=1 generateName=2 namespace=3 selfLink=4 uid=5 resourceVersion=6 generation=7 creationTimestamp=8 deletionTimestamp=9 deletionGracePeriodSeconds=10* labels=11 annotations=12 ownerReferences=13 finalizers=14 managedFields=17-
OwnerReference: kind=1 name=3 uid=4 apiVersion=5 controller=6* blockOwnerDeletion=7*
LabelSelector: matchLabels=1 matchExpressions=2
LabelSelectorRequirement: key=1 operator=2 values=3
LocalObjectReference: name=1
ObjectReference: kind=1 namespace=2 name=3 uid=4 apiVersion=5 resourceVersion=6 fieldPath=7
Namespace: metadata=1 spec=2 status=3-
NamespaceSpec: finalizers=1
ConfigMap: metadata=1 data=2 binaryData=3 immutable=4*
Secret: metadata=1 data=2 type=3 stringData=4 immutable=5*
ServiceAccount: metadata=1 secrets=2 imagePullSecrets=3 automountServiceAccountToken=4*
Service: metadata=1 spec=2 status=3-
ServiceSpec: ports=1 selector=2 clusterIP=3 type=4 externalIPs=5 sessionAffinity=7 loadBalancerIP=8 loadBalancerSourceRanges=9 externalName=10 externalTrafficPolicy=11 healthCheckNodePort=12 publishNotReadyAddresses=13 sessionAffinityConfig=14 ipFamilyPolicy=17 clusterIPs=18 ipFamilies=19 allocateLoadBalancerNodePorts=20* loadBalancerClass=21 internalTrafficPolicy=22 trafficDistribution=23
ServicePort: name=1 protocol=2 port=3 targetPort=4 nodePort=5 appProtocol=6
Deployment: metadata=1 spec=2 status=3-
DeploymentSpec: replicas=1* selector=2 template=3 strategy=4 minReadySeconds=5 revisionHistoryLimit=6* paused=7 progressDeadlineSeconds=9*
DeploymentStrategy: type=1 rollingUpdate=2
RollingUpdateDeployment: maxUnavailable=1 maxSurge=2
PodTemplateSpec: metadata=1 spec=2
Pod: metadata=1 spec=2 status=3-
PodSpec: volumes=1 containers=2 restartPolicy=3 terminationGracePeriodSeconds=4* activeDeadlineSeconds=5* dnsPolicy=6 nodeSelector=7 serviceAccountName=8 serviceAccount=9 nodeName=10 hostNetwork=11 hostPID=12 hostIPC=13 securityContext=14 imagePullSecrets=15 hostname=16 subdomain=17 affinity=18 schedulerName=19 initContainers=20 automountServiceAccountToken=21* tolerations=22 hostAliases=23 priorityClassName=24 priority=25* shareProcessNamespace=27* runtimeClassName=29 enableServiceLinks=30* preemptionPolicy=31 overhead=32 topologySpreadConstraints=33 ephemeralContainers=34
PodSecurityContext: runAsUser=2* runAsNonRoot=3* supplementalGroups=4 fsGroup=5* runAsGroup=6*
Toleration: key=1 operator=2 value=3 effect=4 tolerationSeconds=5*
HostAlias: ip=1 hostnames=2
Container: name=1 image=2 command=3 args=4 workingDir=5 ports=6 env=7 resources=8 volumeMounts=9 livenessProbe=10 readinessProbe=11 terminationMessagePath=13 imagePullPolicy=14 securityContext=15 stdin=16 stdinOnce=17 tty=18 terminationMessagePolicy=20
ContainerPort: name=1 hostPort=2 containerPort=3 protocol=4 hostIP=5
EnvVar: name=1 value=2
ResourceRequirements: limits=1 requests=2
VolumeMount: name=1 readOnly=2 mountPath=3 subPath=4
PodDisruptionBudget: metadata=1 spec=2 status=3-
PodDisruptionBudgetSpec: minAvailable=1 selector=2 maxUnavailable=3 unhealthyPodEvictionPolicy=4
HorizontalPodAutoscaler: metadata=1 spec=2 status=3-
HorizontalPodAutoscalerSpec: scaleTargetRef=1 minReplicas=2* maxReplicas=3 metrics=4 behavior=5
CrossVersionObjectReference: kind=1 name=2 apiVersion=3
SelfSubjectAccessReview: metadata=1 spec=2 status=3-
SelfSubjectAccessReviewSpec: resourceAttributes=1 nonResourceAttributes=2
ResourceAttributes: namespace=1 verb=2 group=3 version=4 resource=5 subresource=6 name=7
NonResourceAttributes: path=1 verb=2
DeleteOptions: gracePeriodSeconds=1* preconditions=2 orphanDependents=3* propagationPolicy=4 dryRun=5
Preconditions: uid=1 resourceVersion=2
Eviction: metadata=1 deleteOptions=2
`;
