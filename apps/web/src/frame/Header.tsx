import type { Session } from "@skopos/api";
import { Menu } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { IconDeviceDesktop, IconMoon, IconSearch, IconSun, IconUser } from "@tabler/icons-react";
import { type ReactNode, useMemo } from "react";
import { signOut } from "../data/client.ts";
import { useLive } from "../data/live.tsx";
import { cycleScheme, usePreference } from "../data/preferences.ts";
import { graphQuery } from "../data/queries.ts";
import { clockTime, zoneName } from "../logic/times.ts";
import { useAddress, useScope } from "./address.ts";
import { TimeRange } from "./TimeRange.tsx";

function NamespaceChoice(): ReactNode {
  const { namespace, time } = useScope();
  const { patch } = useAddress();
  const { data } = useQuery(graphQuery(time));
  const names = useMemo(() => {
    const all = new Set(data?.nodes.map((node) => node.namespace));
    if (namespace) all.add(namespace);
    return [...all].filter((name) => name !== "").toSorted();
  }, [data, namespace]);
  return (
    <select
      className="field"
      aria-label="Namespace"
      value={namespace ?? ""}
      onChange={(event) => patch({ ns: event.target.value || null })}
    >
      <option value="">All namespaces</option>
      {names.map((name) => (
        <option key={name}>{name}</option>
      ))}
    </select>
  );
}

function LiveMark(): ReactNode {
  const { live, toggle } = useLive();
  const words = {
    connecting: "Connecting",
    live: "Live",
    paused: "Paused",
    stale: "Stale",
  }[live.state];
  const since = "since" in live ? ` since ${clockTime(live.since)}` : "";
  return (
    <button
      type="button"
      className={`button bare live-mark ${live.state}`}
      onClick={toggle}
      aria-pressed={live.state === "paused"}
      title={
        live.state === "stale"
          ? `The event stream is gone${since} (${zoneName()}); asking every 10 s`
          : live.state === "paused"
            ? "Resume live updates (p)"
            : "Pause live updates (p)"
      }
    >
      <span className="dot" aria-hidden="true" />
      <span>
        {words}
        <span className="hide-phone">{since}</span>
      </span>
    </button>
  );
}

function ThemeButton(): ReactNode {
  const [scheme] = usePreference("scheme", "auto");
  const Icon = scheme === "light" ? IconSun : scheme === "dark" ? IconMoon : IconDeviceDesktop;
  const says = scheme === "auto" ? "as the system" : scheme;
  return (
    <button
      type="button"
      className="icon-button hide-phone"
      onClick={cycleScheme}
      aria-label={`Colours: ${says}`}
      title={`Colours: ${says} (d)`}
    >
      <Icon size={18} aria-hidden="true" />
    </button>
  );
}

function UserMenu({ session }: { readonly session: Session }): ReactNode {
  return (
    <Menu position="bottom-end" withinPortal shadow="none" transitionProps={{ duration: 0 }}>
      <Menu.Target>
        <button
          type="button"
          className="icon-button hide-phone"
          aria-label={`Signed in as ${session.user}, ${session.role}`}
        >
          <IconUser size={18} aria-hidden="true" />
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {session.user} · {session.role}
        </Menu.Label>
        <Menu.Item onClick={() => void signOut()}>Sign out</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

export function Header({
  session,
  search,
}: {
  readonly session: Session;
  readonly search: () => void;
}): ReactNode {
  return (
    <header className="header">
      <span className="scope-cluster hide-phone" title={`Cluster ${session.cluster}`}>
        {session.cluster}
      </span>
      <NamespaceChoice />
      <span className="spacer" />
      <button
        type="button"
        className="button search-button"
        onClick={search}
        aria-label="Search anything"
        aria-keyshortcuts="/ Control+K"
      >
        <IconSearch size={16} aria-hidden="true" />
        <span className="words">Search anything</span>
        <kbd>/</kbd>
      </button>
      <TimeRange />
      <LiveMark />
      <ThemeButton />
      <UserMenu session={session} />
    </header>
  );
}
