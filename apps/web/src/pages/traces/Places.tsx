import { webPaths } from "@skopos/api";
import type { ReactNode } from "react";
import { useAddress } from "../../frame/address.ts";
import { Go } from "../../parts/Go.tsx";

const places = [
  [webPaths.traces(), "Search"],
  [webPaths.traceGraph(), "Service graph"],
  [webPaths.traceServices(), "Services"],
  ["/traces/compare", "Compare"],
] as const;

/** The pages about traces, beside each other. */
export function Places(): ReactNode {
  const { pathname } = useAddress();
  return (
    <nav className="row tight" aria-label="Pages about traces">
      {places.map(([path, title]) => (
        <Go key={path} to={path} aria-current={pathname === path ? "page" : undefined}>
          {pathname === path ? <b>{title}</b> : title}
        </Go>
      ))}
    </nav>
  );
}
