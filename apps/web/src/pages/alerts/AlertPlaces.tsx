import { webPaths } from "@skopos/api";
import type { ReactNode } from "react";
import { useAddress } from "../../frame/address.ts";
import { Go } from "../../parts/Go.tsx";

const places = [
  [webPaths.alerts(), "Alerts"],
  [webPaths.rules(), "Rules"],
] as const;

/** What fires, and what decides whether it does. */
export function AlertPlaces(): ReactNode {
  const { pathname } = useAddress();
  return (
    <nav className="row tight" aria-label="Pages about alerts">
      {places.map(([path, title]) => (
        <Go key={path} to={path} aria-current={pathname === path ? "page" : undefined}>
          {pathname === path ? <b>{title}</b> : title}
        </Go>
      ))}
    </nav>
  );
}
