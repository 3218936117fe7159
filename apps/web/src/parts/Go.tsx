import { type ComponentProps, type MouseEvent, type ReactNode } from "react";
import { useAddress } from "../frame/address.ts";
import { withScope } from "../logic/scope.ts";

interface GoProps extends Omit<ComponentProps<"a">, "href"> {
  readonly to: string;
  /** Leaves time range and namespace behind. */
  readonly bare?: boolean;
}

/** A link within the page that carries the scope along. */
export function Go({ to, bare = false, onClick, children, ...rest }: GoProps): ReactNode {
  const { search, go } = useAddress();
  const href = bare ? to : withScope(to, search);
  const external = !href.startsWith("/");
  const follow = (event: MouseEvent<HTMLAnchorElement>) => {
    onClick?.(event);
    const plain = !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
    if (event.defaultPrevented || !plain || event.button !== 0 || external) return;
    event.preventDefault();
    go(href);
  };
  return (
    <a href={href} {...(external ? { rel: "noreferrer" } : {})} {...rest} onClick={follow}>
      {children}
    </a>
  );
}
