/** The counters Envoy keeps per upstream cluster; `exposition.ts` writes them. */
export interface ClusterStats {
  cxTotal: number;
  cxConnectFail: number;
  cxConnectTimeout: number;
  cxOverflow: number;
  cxNoneHealthy: number;
  cxDestroyedWithActiveRq: number;
  cxMaxRequests: number;
  rqTotal: number;
  rqPendingTotal: number;
  rqPendingOverflow: number;
  rqPendingFailureEject: number;
  rqCancelled: number;
  rqTimeout: number;
  rqPerTryTimeout: number;
  rqRetry: number;
  rqRetrySuccess: number;
  rqRetryOverflow: number;
  rqRetryLimitExceeded: number;
  rqRxReset: number;
  rqTxReset: number;
  /** Completed requests by hundred: index 2 counts 2xx. */
  rqByClass: number[];
  txBytes: number;
  rxBytes: number;
  ejectionsEnforced: number;
  ejectionsConsecutive5xx: number;
  ejectionsGatewayFailure: number;
  ejectionsOverflow: number;
  sslHandshakes: number;
  sslFailures: number;
}

export function emptyClusterStats(): ClusterStats {
  return {
    cxTotal: 0,
    cxConnectFail: 0,
    cxConnectTimeout: 0,
    cxOverflow: 0,
    cxNoneHealthy: 0,
    cxDestroyedWithActiveRq: 0,
    cxMaxRequests: 0,
    rqTotal: 0,
    rqPendingTotal: 0,
    rqPendingOverflow: 0,
    rqPendingFailureEject: 0,
    rqCancelled: 0,
    rqTimeout: 0,
    rqPerTryTimeout: 0,
    rqRetry: 0,
    rqRetrySuccess: 0,
    rqRetryOverflow: 0,
    rqRetryLimitExceeded: 0,
    rqRxReset: 0,
    rqTxReset: 0,
    rqByClass: [0, 0, 0, 0, 0, 0],
    txBytes: 0,
    rxBytes: 0,
    ejectionsEnforced: 0,
    ejectionsConsecutive5xx: 0,
    ejectionsGatewayFailure: 0,
    ejectionsOverflow: 0,
    sslHandshakes: 0,
    sslFailures: 0,
  };
}
