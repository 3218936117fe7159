/** Search-anything: what the server finds, the pages, and commands. */
import { useDebouncedValue } from "@mantine/hooks";
import { Modal } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type KeyboardEvent, type ReactNode, useMemo, useState } from "react";
import { useLive } from "../data/live.tsx";
import { cycleScheme } from "../data/preferences.ts";
import { searchQuery } from "../data/queries.ts";
import { type Offer, offersFor } from "../logic/offers.ts";
import { useAddress } from "./address.ts";
import { places } from "./places.ts";

export function Palette({
  close,
  help,
}: {
  readonly close: () => void;
  readonly help: () => void;
}): ReactNode {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const [asked] = useDebouncedValue(text, 120);
  const { data, isFetching, error } = useQuery(searchQuery(asked));
  const { go, patch } = useAddress();
  const { toggle } = useLive();
  const offers = useMemo(
    () => offersFor(text, places, asked.trim() === "" ? [] : (data?.hits ?? [])),
    [text, asked, data],
  );
  const chosen = Math.min(at, offers.length - 1);

  const run = (offer: Offer | undefined) => {
    if (!offer) return;
    close();
    const { act } = offer;
    if (act.type === "go") go(act.path);
    else if (act.type === "range") patch({ range: act.range, from: null, to: null });
    else if (act.type === "theme") cycleScheme();
    else if (act.type === "pause") toggle();
    else help();
  };
  const move = (event: KeyboardEvent) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0) {
      event.preventDefault();
      const next = (chosen + step + offers.length) % Math.max(1, offers.length);
      setAt(next);
      document.getElementById(`offer-${next}`)?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter") {
      event.preventDefault();
      run(offers[chosen]);
    }
  };
  return (
    <Modal
      opened
      onClose={close}
      withCloseButton={false}
      size={640}
      yOffset="10vh"
      shadow="none"
      transitionProps={{ duration: 0 }}
      aria-label="Search anything"
    >
      <input
        className="field mono"
        style={{ width: "100%", minHeight: 40 }}
        data-autofocus
        role="combobox"
        aria-expanded="true"
        aria-controls="offers"
        aria-activedescendant={`offer-${chosen}`}
        aria-label="Search anything"
        placeholder="A service, an incident, a trace id, a query, a page, a command"
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setAt(0);
        }}
        onKeyDown={move}
      />
      <div className="palette-list" role="listbox" id="offers" aria-label="Found">
        {offers.map((offer, index) => (
          // The keyboard moves through the input, as a combobox does.
          // oxlint-disable-next-line jsx-a11y/click-events-have-key-events
          <div
            key={offer.id}
            id={`offer-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === chosen}
            className="palette-item"
            onMouseMove={() => setAt(index)}
            onClick={() => run(offer)}
          >
            <span>{offer.name}</span>
            {offer.detail !== "" && <span className="detail">{offer.detail}</span>}
            <span className="kind">{offer.kind}</span>
          </div>
        ))}
      </div>
      <p className="small quiet" role="status">
        {error
          ? "The server's search does not answer; pages and commands still work."
          : isFetching
            ? "Searching…"
            : offers.length === 0
              ? "Nothing found."
              : ""}
      </p>
    </Modal>
  );
}
