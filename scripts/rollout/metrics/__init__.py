"""From counters on a metrics page to what both arms gained.

HTTP is counted by the gateway's Envoy: a 5xx, a timeout or a refused connection counts
there although the predictor never saw it; elsewhere by Knative's queue-proxy, or by the
predictor. gRPC is counted by the predictor: its errors travel in trailers, which no
proxy reads. Labels only the predictor knows.
"""
