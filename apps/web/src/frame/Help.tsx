import { Modal } from "@mantine/core";
import type { ReactNode } from "react";
import { shortcuts } from "../logic/shortcuts.ts";

export function Help({ close }: { readonly close: () => void }): ReactNode {
  return (
    <Modal opened onClose={close} title="Keys" shadow="none" transitionProps={{ duration: 0 }}>
      <dl className="keys">
        {shortcuts.map(({ keys, says }) => (
          <div key={keys} style={{ display: "contents" }}>
            <dt>
              {keys.split(" ").map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{says}</dd>
          </div>
        ))}
        <dt>
          <kbd>Enter</kbd>
        </dt>
        <dd>Open the row, node or link in focus</dd>
      </dl>
    </Modal>
  );
}
