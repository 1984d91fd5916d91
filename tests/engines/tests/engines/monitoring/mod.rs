//! Prometheus and Alertmanager.
