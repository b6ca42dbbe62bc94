-- A transfer or refund that Stripe refuses for want of balance waits for money, not for this service:
-- it does not count as in flight, or business time could never move on to when the money comes.

CREATE OR REPLACE VIEW in_flight AS
    SELECT kind, subject, since FROM kit_in_flight
    UNION ALL
    SELECT 'operation:' || kind, subject, recorded_at
    FROM operations
    WHERE state IN ('planned', 'sent') AND COALESCE(outcome ->> 'because', '') <> 'balance_insufficient'
    UNION ALL
    SELECT 'webhook:' || type, event_id, received_at FROM webhooks WHERE state = 'waiting'
    UNION ALL
    SELECT 'transfer', e.order_id::text, e.released_at
    FROM earnings AS e JOIN accounts AS a ON a.mentor_id = e.mentor_id
    WHERE e.released_at IS NOT NULL AND e.transfer_state = 'waiting' AND a.can_receive;
