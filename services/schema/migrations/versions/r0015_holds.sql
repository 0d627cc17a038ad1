create table santral.hold (
    workspace_id uuid not null,
    id uuid not null,
    kind text not null,
    subject_id uuid not null,
    handles uuid[] not null default '{}',
    reason text not null,
    placed_by text not null,
    placed_at timestamptz not null default now(),
    until timestamptz,
    lifted_by text,
    lifted_at timestamptz,
    constraint hold_pkey primary key (workspace_id, id),
    constraint hold_kind_check check (kind in ('person', 'case'))
);
create index hold_open_ix on santral.hold (workspace_id) where lifted_at is null;
alter table santral.erasure drop constraint erasure_state_check;
alter table santral.erasure add constraint erasure_state_check check (state in ('asked', 'running', 'held', 'done'));
create function santral.holds_in_force(workspace uuid) returns setof santral.hold
language sql stable set search_path = santral as $$
    select x.* from santral.hold x where x.workspace_id = $1 and x.lifted_at is null and (x.until is null or x.until > now())
$$;
create function santral.held_handles(workspace uuid) returns setof uuid
language sql stable set search_path = santral as $$
    select distinct m.id from santral.holds_in_force($1) x cross join lateral unnest(x.handles) as named(id)
    cross join lateral (select f.profile_id from santral.handle f where f.workspace_id = $1 and f.id = named.id offset 0) h
    cross join lateral (select f.id from santral.handle f where f.workspace_id = $1 and f.profile_id = h.profile_id offset 0) m
$$;
create function santral.held_conversations(workspace uuid) returns setof uuid
language sql stable set search_path = santral as $$
    with recursive held as (
        (select x.subject_id as id from santral.holds_in_force($1) x where x.kind = 'case'
         union
         select c.id from santral.held_handles($1) as h(id) cross join lateral (
             select f.id from santral.conversation f where f.workspace_id = $1 and f.handle_id = h.id offset 0
         ) c)
        union
        select n.id from held cross join lateral (
            select c.merged_into as id from santral.conversation c
            where c.workspace_id = $1 and c.id = held.id and c.merged_into is not null
            union all
            select c.id from santral.conversation c where c.workspace_id = $1 and c.merged_into = held.id
        ) n
    )
    select id from held
$$;
create function santral.held_messages(workspace uuid) returns setof uuid
language sql stable set search_path = santral as $$
    select distinct p.message_id from santral.held_conversations($1) as h(id) cross join lateral (
        select f.id from santral.placement_operation f
        where f.workspace_id = $1 and f.from_conversation_id = h.id and f.undone_at is null offset 0
    ) o cross join lateral (
        select f.message_id from santral.placement f where f.workspace_id = $1 and f.operation_id = o.id and not f.undo offset 0
    ) p
$$;
create function santral.held_targets(workspace uuid) returns setof text
language sql stable set search_path = santral as $$
    with conversation as (select id from santral.held_conversations($1) as h(id)),
    person as (select id from santral.held_handles($1) as h(id)),
    item as (
        select i.id from conversation c cross join lateral (
            select f.id from santral.work_item f where f.workspace_id = $1 and f.conversation_id = c.id offset 0
        ) i
    )
    select id::text from (
        select id from conversation
        union all select id from person
        union all select id from item
        union all select o.id from item join santral.offer o on o.workspace_id = $1 and o.item_id = item.id
        union all select m.id from conversation c cross join lateral (
            select f.id from santral.message f where f.workspace_id = $1 and f.conversation_id = c.id offset 0
        ) m
        union all select santral.held_messages($1)
        union all select e.id from santral.person_export e where e.workspace_id = $1 and e.profile_id in (select id from person)
        union all select s.id from santral.suggestion s
                  where s.workspace_id = $1 and (s.a in (select id from person) or s.b in (select id from person))
        union all select x.id from santral.holds_in_force($1) x
    ) target
$$;
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
            and (a.target_id in (select santral.held_targets($1))) is not true
        order by a.id limit $3
    ), removed as (
        delete from santral.audit a using gone where a.workspace_id = gone.workspace_id and a.id = gone.id returning 1
    )
    select count(*) from removed
$$
