alter table santral.sla_clock add column queue_id uuid;
create function santral.audit_forget(workspace uuid, targets text[]) returns bigint
language sql security definer set search_path = santral as $$
    with changed as (
        update santral.audit a set details = a.details - 'reason'
        where a.workspace_id = $1 and a.target_id = any($2) and a.action in ('item.cancel', 'item.assign') and a.details ? 'reason'
        returning 1
    )
    select count(*) from changed
$$;
revoke all on function santral.audit_forget(uuid, text[]) from public;
grant execute on function santral.audit_forget(uuid, text[]) to santral_worker;
