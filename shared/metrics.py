"""Every metric of every process, in one place: dashboards and alarms name these and no others.

Names follow Prometheus: ``santral_`` first, unit and ``_total`` last. No label names a workspace, a customer or an agent.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

GATEWAY_REQUESTS: Final = Counter("santral_gateway_requests", "Posts and mails by provider and answer", ["provider", "status"])
CONNECTIONS_REFUSED: Final = Counter(
    "santral_connections_refused", "Connections and sockets that found no place, broke a bound, or made room for others", ["reason"]
)
BODY_BYTES: Final = Gauge("santral_body_bytes", "Bytes of bodies held in memory")
BODIES_REFUSED: Final = Counter(
    "santral_bodies_refused", "Bodies not taken: no room, a share used up, too slow, too large, made room for others", ["reason"]
)
MAILS_JUDGED: Final = Counter("santral_mails_judged", "Mails whose author our border looked for, by what it found", ["dmarc"])
MAILS_REFUSED: Final = Counter(
    "santral_mails_refused", "Mail sessions turned away for want of room, or ended to make some", ["reason"]
)
UNPROVEN_POSTS: Final = Counter(
    "santral_unproven_posts",
    "Posts taken without a secret, or by the first scheme of signatures, from before",
    ["provider", "reason"],
)
THROTTLED: Final = Counter("santral_throttled", "What was asked for more often than its rate allows", ["kind"])
PUT_OFF: Final = Counter(
    "santral_put_off_operations",
    "Operations that waited, or were refused, because their workspace used more than its share of a loop that was late",
)
MESSAGES_IN: Final = Counter("santral_messages_in", "Messages taken in", ["provider", "understood"])
CONFIGURATION_AGE: Final = Gauge(
    "santral_configuration_read_timestamp_seconds", "When the configuration was last seen to be current"
)
SPOOL_RECORDS: Final = Gauge("santral_spool_records", "Records in this gateway's spool")
PUBLISH_SECONDS: Final = Histogram("santral_publish_seconds", "From record to the broker's ack", buckets=_SECONDS)
PUBLISH_FAILURES: Final = Counter("santral_publish_failures", "Publishes that met no ack within the deadline")
INTAKE_MESSAGES: Final = Counter("santral_intake_messages", "Messages by what became of them", ["result"])
INTAKE_BATCH_SECONDS: Final = Histogram("santral_intake_batch_seconds", "One intake transaction", buckets=_SECONDS)
INTAKE_RETRIES: Final = Counter("santral_intake_retries", "Batches run again because the database asked")
INTAKE_STOPPED: Final = Gauge(
    "santral_intake_stopped", "1 while intake stands still: the quarantine's limit, or a log that is not what was read"
)
RECORD_LAG: Final = Gauge("santral_intake_lag_records", "Records not yet taken, by partition", ["partition"])
RECORD_AGE: Final = Gauge("santral_intake_oldest_age_seconds", "Age of the oldest record not yet taken")
FENCED: Final = Counter("santral_fenced", "Work dropped because the lease had moved on", ["kind"])
POLICY_SECONDS: Final = Histogram(
    "santral_policy_seconds", "Policy per message", buckets=(0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01)
)
POLICY_ERRORS: Final = Counter("santral_policy_rule_errors", "Rules that failed and so did not match")
POLICY_UNASKED: Final = Counter(
    "santral_policy_unasked", "Messages for the default queue, because their workspace's rules had used up their time"
)
DISPATCH_LAG: Final = Gauge("santral_dispatch_round_seconds", "How long the last round of dispatch took")
DISPATCH_RESERVATIONS: Final = Counter("santral_dispatch_reservations", "Items reserved for agents")
DISPATCH_WAITING: Final = Gauge("santral_dispatch_waiting_items", "Items standing in a line of this process")
DISPATCH_ASIDE: Final = Gauge("santral_dispatch_workspaces_aside", "Workspaces whose work this process cannot dispatch now")
HANDLES_UNDECIDED: Final = Gauge("santral_handles_undecided", "Handles whose people are still to be decided")
DISPATCH_ESCALATIONS: Final = Counter("santral_dispatch_escalations", "Items that nobody is left to take", ["reason"])
SLA_HAPPENED: Final = Counter(
    "santral_sla_clocks", "Service level clocks that warned, were breached or were met", ["kind", "result"]
)
SLA_ESCALATIONS: Final = Counter("santral_sla_escalations", "Items raised because a target was missed", ["result"])
SLA_ROUND: Final = Gauge("santral_sla_round_seconds", "How long the last look at the service level clocks took")
WAIT: Final = Gauge("santral_wait_seconds", "Waits of items reserved in the last hour", ["quantile"])
STICKY_SHARE: Final = Gauge("santral_sticky_share", "Share of the last hour's reservations that went to the agent waited for")
RELAXATION: Final = Gauge("santral_relaxation_steps", "Mean step of their plan at which the last hour's items were reserved")
FAIRNESS: Final = Gauge("santral_assignments_gini", "How unevenly the last hour's work fell on those who took part, 0 even")
PREDICTION_ERROR: Final = Gauge("santral_prediction_error_seconds", "Mean distance of the last hour's waits from the foretold")
PREDICTION_KEPT: Final = Gauge("santral_prediction_kept_share", "Share of the last hour's waits within the foretold nine tenths")
OFFERS_EXPIRED: Final = Counter("santral_offers_expired", "Offers that were not answered")
OUTBOX_DEPTH: Final = Gauge("santral_outbox_events", "Events not yet published")
OUTBOX_AGE: Final = Gauge("santral_outbox_oldest_age_seconds", "Age of the oldest event not yet published")
OUTBOX_PUBLISHED: Final = Counter("santral_outbox_published", "Events published")
DELIVERIES: Final = Counter("santral_deliveries", "Tries of replies by result", ["state"])
CLASSIFIED: Final = Counter("santral_classified_messages", "Messages by what the operator's classifier did", ["result"])
CLASSIFIER_SECONDS: Final = Histogram(
    "santral_classifier_seconds", "Time that a fetch waited for the operator's classifier", buckets=_SECONDS
)
LOOPS_STOPPED: Final = Counter("santral_loops_stopped", "Automatic messages refused because machines answer each other", ["reason"])
RECEIPTS_UNMATCHED: Final = Counter("santral_receipts_unmatched", "Providers' receipts for messages that are not ours")
QUARANTINE_OPEN: Final = Gauge("santral_quarantine_open", "Unresolved entries in quarantine")
ERASURES: Final = Counter("santral_erasures", "People erased")
RETENTION_REMOVED: Final = Counter("santral_retention_removed", "Rows and files that retention removed", ["kind"])
HTTP_SECONDS: Final = Histogram("santral_http_seconds", "REST answers", ["method", "status"], buckets=_SECONDS)
SOCKETS: Final = Gauge("santral_sockets", "Open WebSockets", ["kind"])
SOCKETS_DROPPED: Final = Counter("santral_sockets_dropped", "Sockets closed because the client read too slowly")
LOOP_LAG: Final = Gauge("santral_loop_lag_seconds", "How late the event loop is")
HINTS_SENT: Final = Counter("santral_hints_sent", "Notifications sent")
