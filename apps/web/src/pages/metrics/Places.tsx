import { webPaths } from "@skopos/api";
import type { ReactNode } from "react";
import { useAddress } from "../../frame/address.ts";
import { Go } from "../../parts/Go.tsx";

const places = [
  [webPaths.metrics(), "Query"],
  [webPaths.targets(), "Targets"],
  [webPaths.cardinality(), "Cardinality"],
] as const;

/** The pages about metrics, beside each other. */
export function Places(): ReactNode {
  const { pathname } = useAddress();
  return (
    <nav className="row tight" aria-label="Pages about metrics">
      {places.map(([path, title]) => (
        <Go key={path} to={path} aria-current={pathname === path ? "page" : undefined}>
          {pathname === path ? <b>{title}</b> : title}
        </Go>
      ))}
    </nav>
  );
}
