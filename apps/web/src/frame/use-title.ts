import { useEffect } from "react";

/** What the tab and a shared link are called. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title === "" ? "Skopos" : `${title} · Skopos`;
  }, [title]);
}
