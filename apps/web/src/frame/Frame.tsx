import type { Session } from "@skopos/api";
import { Menu } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Outlet } from "@tanstack/react-router";
import { lazy, type ReactNode, Suspense, useEffect, useRef, useState } from "react";
import { sessionQuery, signOut } from "../data/client.ts";
import { Live, useLive } from "../data/live.tsx";
import { cycleScheme, usePreference } from "../data/preferences.ts";
import { incidentsQuery } from "../data/queries.ts";
import { type Command, noKeys, pressKey } from "../logic/shortcuts.ts";
import { Skeleton } from "../parts/States.tsx";
import { useAddress } from "./address.ts";
import { Header } from "./Header.tsx";
import { Bar, Rail } from "./Rail.tsx";

const loadPalette = async () => ({ default: (await import("./Palette.tsx")).Palette });
const loadHelp = async () => ({ default: (await import("./Help.tsx")).Help });
const Palette = lazy(loadPalette);
const Help = lazy(loadHelp);

function loadNext(): void {
  void Promise.allSettled([loadPalette(), loadHelp()]);
}

/** After the first page stands, what a key may open next is fetched, so that it opens at once. */
function prefetch(): void {
  if ("requestIdleCallback" in window) window.requestIdleCallback(loadNext, { timeout: 3000 });
  else setTimeout(loadNext, 1500);
}

/** Moves the focus along the rows of the page: whatever carries `data-row`. */
function moveRow(step: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>("main [data-row]")];
  const at = rows.findIndex((row) => row === document.activeElement);
  const next = rows[at === -1 ? (step === 1 ? 0 : rows.length - 1) : at + step];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

function isField(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.matches("input:not([type=checkbox]), textarea, select"))
  );
}

function useKeys(run: (command: Command) => void): void {
  const latest = useRef(run);
  useEffect(() => {
    latest.current = run;
  });
  useEffect(() => {
    let state = noKeys;
    const press = (event: KeyboardEvent) => {
      const next = pressKey(state, {
        key: event.key,
        atMs: event.timeStamp,
        ctrlOrMeta: event.ctrlKey || event.metaKey,
        alt: event.altKey,
        inField: isField(event.target),
      });
      state = next.state;
      if (!next.command) return;
      event.preventDefault();
      latest.current(next.command);
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);
}

/** Says a new incident to screen readers, once. */
function useAnnouncement(ids: readonly { id: string; title: string }[] | undefined): string {
  const known = useRef<Set<string> | null>(null);
  const [says, setSays] = useState("");
  useEffect(() => {
    if (!ids) return;
    const fresh = known.current ? ids.filter(({ id }) => !known.current?.has(id)) : [];
    known.current = new Set(ids.map(({ id }) => id));
    if (fresh.length > 0) setSays(`New incident: ${fresh.map(({ title }) => title).join("; ")}`);
  }, [ids]);
  return says;
}

function Inner({ session }: { readonly session: Session }): ReactNode {
  const { go, patch, search, pathname } = useAddress();
  const { toggle } = useLive();
  const [open, setOpen] = useState<"search" | "help" | null>(null);
  const [collapsed, setCollapsed] = usePreference("rail", "wide");
  const { data } = useQuery(incidentsQuery("open"));
  const announcement = useAnnouncement(data?.incidents);
  const main = useRef<HTMLElement>(null);
  const firstPath = useRef(pathname);

  useEffect(prefetch, []);

  useEffect(() => {
    // A new page is read from its beginning; the first load leaves the focus alone.
    if (firstPath.current === pathname) return;
    firstPath.current = pathname;
    main.current?.focus({ preventScroll: true });
  }, [pathname]);

  useKeys((command) => {
    if (open !== null) return;
    if (command.type === "go") go(command.path);
    else if (command.type === "row") moveRow(command.step);
    else if (command.type === "pause") toggle();
    else if (command.type === "theme") cycleScheme();
    else if (command.type === "list") {
      if (pathname === "/mesh") patch({ view: search.get("view") === "list" ? "graph" : "list" });
    } else setOpen(command.type);
  });
  const openIncidents = data?.incidents.length ?? 0;
  const { practice } = session;
  return (
    <div className="frame" data-collapsed={collapsed === "narrow"}>
      <a className="skip-link" href="#main">
        To the content
      </a>
      <Rail
        openIncidents={openIncidents}
        practice={practice}
        toggle={() => setCollapsed(collapsed === "narrow" ? "wide" : "narrow")}
      />
      <div className="column">
        <Header session={session} search={() => setOpen("search")} />
        <main id="main" ref={main} tabIndex={-1}>
          <Suspense
            fallback={
              <div className="page">
                <Skeleton rows={6} />
              </div>
            }
          >
            <Outlet />
          </Suspense>
        </main>
      </div>
      <Bar openIncidents={openIncidents} practice={practice}>
        <Menu.Item onClick={() => setOpen("search")}>Search anything</Menu.Item>
        <Menu.Item onClick={cycleScheme}>Light, dark or as the system</Menu.Item>
        <Menu.Item onClick={() => void signOut()}>Sign out {session.user}</Menu.Item>
      </Bar>
      <div className="visually-hidden" role="status" aria-live="polite" data-testid="announcer">
        {announcement}
      </div>
      <Suspense fallback={null}>
        {open === "search" && <Palette close={() => setOpen(null)} help={() => setOpen("help")} />}
        {open === "help" && <Help close={() => setOpen(null)} />}
      </Suspense>
    </div>
  );
}

/** Rail, header and the page between them. */
export function Frame(): ReactNode {
  const { data: session } = useQuery(sessionQuery);
  if (!session) return null;
  return (
    <Live>
      <Inner session={session} />
    </Live>
  );
}
