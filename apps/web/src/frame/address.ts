/** The address as state: reading, patching and following it. */
import { useLocation, useRouter } from "@tanstack/react-router";
import { useCallback, useMemo } from "react";
import { patchSearch, readScope, type Scope, withScope } from "../logic/scope.ts";

type Patch = Readonly<Record<string, string | readonly string[] | null>>;

export interface Address {
  readonly pathname: string;
  readonly search: URLSearchParams;
  /** `replace` for what the Back button need not remember, like typing. */
  readonly patch: (patch: Patch, how?: "push" | "replace") => void;
  /** Follows a path, keeping time range and namespace. */
  readonly go: (path: string) => void;
}

export function useAddress(): Address {
  const router = useRouter();
  const pathname = useLocation({ select: (location) => location.pathname });
  const searchText = useLocation({ select: (location) => location.searchStr });
  const search = useMemo(() => new URLSearchParams(searchText), [searchText]);
  const patch = useCallback(
    (change: Patch, how: "push" | "replace" = "push") => {
      const { pathname, searchStr } = router.latestLocation;
      const next = patchSearch(new URLSearchParams(searchStr), change).toString();
      const path = next ? `${pathname}?${next}` : pathname;
      if (how === "replace") router.history.replace(path);
      else router.history.push(path);
    },
    [router],
  );
  const go = useCallback(
    (path: string) =>
      router.history.push(withScope(path, new URLSearchParams(router.latestLocation.searchStr))),
    [router],
  );
  return useMemo(() => ({ pathname, search, patch, go }), [pathname, search, patch, go]);
}

export function useScope(): Scope {
  const { search } = useAddress();
  const text = search.toString();
  return useMemo(() => readScope(new URLSearchParams(text)), [text]);
}
