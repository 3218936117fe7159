/**
 * Istio's kinds in the notation of schema.ts, from the protos of istio/api 1.24. Lists are atomic, as in every CRD
 * that names no list type.
 */
export const istioSchemas = `
IstioStatus: conditions:[]any validationMessages:[]any observedGeneration:intstr
IstioSelector: labels:{string} matchLabels:{string}
TargetRef: group:string kind:string name:string namespace:string
VirtualService: apiVersion:string kind:string metadata:ObjectMeta spec:VirtualServiceSpec status:IstioStatus
VirtualServiceSpec: hosts:[]string gateways:[]string http:[]HTTPRoute tls:[]TLSRoute tcp:[]TCPRoute exportTo:[]string
HTTPRoute: name:string match:[]HTTPMatchRequest route:[]HTTPRouteDestination redirect:any directResponse:any delegate:any rewrite:any timeout:string retries:HTTPRetry fault:HTTPFaultInjection mirror:Destination mirrors:[]any mirrorPercent:any mirror_percent:any mirrorPercentage:Percent corsPolicy:any headers:any
HTTPMatchRequest: name:string uri:StringMatch scheme:StringMatch method:StringMatch authority:StringMatch headers:{StringMatch} port:int64 sourceLabels:{string} gateways:[]string queryParams:{StringMatch} ignoreUriCase:bool withoutHeaders:{StringMatch} sourceNamespace:string statPrefix:string
StringMatch: exact:string prefix:string regex:string
HTTPRouteDestination: destination!:Destination weight:int32 headers:any
Destination: host!:string subset:string port:PortSelector
PortSelector: number:int64
HTTPRetry: attempts:int32 perTryTimeout:string retryOn:string retryRemoteLocalities:bool retryIgnorePreviousHosts:bool backoff:string
HTTPFaultInjection: delay:FaultDelay abort:FaultAbort
FaultDelay: percent:int32 fixedDelay:string exponentialDelay:string percentage:Percent
FaultAbort: httpStatus:int32 grpcStatus:string http2Error:string percentage:Percent
Percent: value:double
TLSRoute: match!:[]TLSMatch route:[]RouteDestination
TLSMatch: sniHosts!:[]string destinationSubnets:[]string port:int64 sourceLabels:{string} gateways:[]string sourceNamespace:string
TCPRoute: match:[]L4Match route:[]RouteDestination
L4Match: destinationSubnets:[]string port:int64 sourceSubnet:string sourceLabels:{string} gateways:[]string sourceNamespace:string
RouteDestination: destination!:Destination weight:int32
DestinationRule: apiVersion:string kind:string metadata:ObjectMeta spec:DestinationRuleSpec status:IstioStatus
DestinationRuleSpec: host!:string trafficPolicy:TrafficPolicy subsets:[]Subset exportTo:[]string workloadSelector:IstioSelector
Subset: name!:string labels:{string} trafficPolicy:TrafficPolicy
TrafficPolicy: loadBalancer:LoadBalancer connectionPool:ConnectionPool outlierDetection:OutlierDetection tls:ClientTLS portLevelSettings:[]PortTrafficPolicy tunnel:any proxyProtocol:any retryBudget:any
PortTrafficPolicy: port:PortSelector loadBalancer:LoadBalancer connectionPool:ConnectionPool outlierDetection:OutlierDetection tls:ClientTLS
LoadBalancer: simple:string consistentHash:any localityLbSetting:any warmupDurationSecs:string warmup:any
ConnectionPool: tcp:TCPSettings http:HTTPSettings
TCPSettings: maxConnections:int32 connectTimeout:string tcpKeepalive:any maxConnectionDuration:string idleTimeout:string
HTTPSettings: http1MaxPendingRequests:int32 http2MaxRequests:int32 maxRequestsPerConnection:int32 maxRetries:int32 idleTimeout:string h2UpgradePolicy:string useClientProtocol:bool maxConcurrentStreams:int32
OutlierDetection: consecutiveErrors:int32 splitExternalLocalOriginErrors:bool consecutiveLocalOriginFailures:int64 consecutiveGatewayErrors:int64 consecutive5xxErrors:int64 interval:string baseEjectionTime:string maxEjectionPercent:int32 minHealthPercent:int32
ClientTLS: mode:string clientCertificate:string privateKey:string caCertificates:string credentialName:string subjectAltNames:[]string sni:string insecureSkipVerify:bool caCrl:string
Gateway: apiVersion:string kind:string metadata:ObjectMeta spec:GatewaySpec status:IstioStatus
GatewaySpec: servers:[]GatewayServer selector:{string}
GatewayServer: port!:GatewayPort bind:string hosts!:[]string tls:any defaultEndpoint:string name:string
GatewayPort: number!:int64 protocol!:string name!:string targetPort:int64
ServiceEntry: apiVersion:string kind:string metadata:ObjectMeta spec:ServiceEntrySpec status:IstioStatus
ServiceEntrySpec: hosts!:[]string addresses:[]string ports:[]ServiceEntryPort location:string resolution:string endpoints:[]WorkloadEntrySpec workloadSelector:IstioSelector exportTo:[]string subjectAltNames:[]string
ServiceEntryPort: number!:int64 protocol:string name!:string targetPort:int64
Sidecar: apiVersion:string kind:string metadata:ObjectMeta spec:SidecarSpec status:IstioStatus
SidecarSpec: workloadSelector:IstioSelector ingress:[]any egress:[]any inboundConnectionPool:ConnectionPool outboundTrafficPolicy:any
EnvoyFilter: apiVersion:string kind:string metadata:ObjectMeta spec:EnvoyFilterSpec status:IstioStatus
EnvoyFilterSpec: workloadSelector:IstioSelector targetRefs:[]TargetRef configPatches:[]any priority:int32
WorkloadEntry: apiVersion:string kind:string metadata:ObjectMeta spec:WorkloadEntrySpec status:IstioStatus
WorkloadEntrySpec: address:string ports:{int64} labels:{string} network:string locality:string weight:int64 serviceAccount:string
WorkloadGroup: apiVersion:string kind:string metadata:ObjectMeta spec:WorkloadGroupSpec status:IstioStatus
WorkloadGroupSpec: metadata:any template!:WorkloadEntrySpec probe:any
PeerAuthentication: apiVersion:string kind:string metadata:ObjectMeta spec:PeerAuthenticationSpec status:IstioStatus
PeerAuthenticationSpec: selector:IstioSelector mtls:MutualTLS portLevelMtls:{MutualTLS}
MutualTLS: mode:string
AuthorizationPolicy: apiVersion:string kind:string metadata:ObjectMeta spec:AuthorizationPolicySpec status:IstioStatus
AuthorizationPolicySpec: selector:IstioSelector targetRef:TargetRef targetRefs:[]TargetRef rules:[]any action:string provider:any
RequestAuthentication: apiVersion:string kind:string metadata:ObjectMeta spec:RequestAuthenticationSpec status:IstioStatus
RequestAuthenticationSpec: selector:IstioSelector targetRef:TargetRef targetRefs:[]TargetRef jwtRules:[]any
Telemetry: apiVersion:string kind:string metadata:ObjectMeta spec:TelemetrySpec status:IstioStatus
TelemetrySpec: selector:IstioSelector targetRef:TargetRef targetRefs:[]TargetRef tracing:[]any metrics:[]any accessLogging:[]any
`;
