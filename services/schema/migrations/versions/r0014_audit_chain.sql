create table santral.audit_link (
    workspace_id uuid not null,
    number bigint not null,
    audit_id uuid not null,
    happened_at timestamptz not null,
    row_digest bytea not null,
    digest bytea not null,
    constraint audit_link_pkey primary key (workspace_id, number),
    constraint audit_link_row_key unique (workspace_id, happened_at, audit_id),
    constraint audit_link_number_check check (number > 0)
);
create table santral.audit_anchor (
    workspace_id uuid not null,
    number bigint default 0 not null,
    digest bytea,
    expired_before timestamptz not null,
    constraint audit_anchor_pkey primary key (workspace_id)
);
create or replace function santral.audit_expire(workspace uuid, before_at timestamptz, page integer) returns bigint
language sql security definer set search_path = santral as $$
    with reached as (
        insert into santral.audit_anchor as n (workspace_id, expired_before) values ($1, least($2, now()))
        on conflict (workspace_id) do update set expired_before = excluded.expired_before
        where n.expired_before < excluded.expired_before
    ), gone as (
        select a.workspace_id, a.id from santral.audit a where a.workspace_id = $1 and a.at < least($2, now())
            and exists (select 1 from santral.audit_link l
                        where l.workspace_id = a.workspace_id and l.happened_at = a.at and l.audit_id = a.id)
        order by a.id limit $3
    ), removed as (
        delete from santral.audit a using gone where a.workspace_id = gone.workspace_id and a.id = gone.id returning 1
    )
    select count(*) from removed
$$;
create function santral.audit_link_expire(workspace uuid, page integer) returns bigint
language sql security definer set search_path = santral as $$
    with first as (
        select l.number, l.digest, a.id is not null or l.happened_at >= n.expired_before as stays
        from (select * from santral.audit_link f where f.workspace_id = $1 order by f.number limit $2) l
        join santral.audit_anchor n on n.workspace_id = l.workspace_id
        left join santral.audit a on a.workspace_id = l.workspace_id and a.id = l.audit_id
    ), last as (
        select f.number, f.digest from first f
        where f.number < coalesce((select min(s.number) from first s where s.stays),
                                  (select max(h.number) from santral.audit_link h where h.workspace_id = $1))
        order by f.number desc limit 1
    ), moved as (
        update santral.audit_anchor n set number = last.number, digest = last.digest from last where n.workspace_id = $1
    ), removed as (
        delete from santral.audit_link l using last where l.workspace_id = $1 and l.number <= last.number returning 1
    )
    select count(*) from removed
$$;
revoke all on function santral.audit_link_expire(uuid, integer) from public;
grant execute on function santral.audit_link_expire(uuid, integer) to santral_worker;
