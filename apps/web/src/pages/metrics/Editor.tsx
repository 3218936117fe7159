/** The PromQL editor: CodeMirror with the field's own extension, completing from the server's series. */
import {
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  completionKeymap,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import {
  bracketMatching,
  HighlightStyle,
  indentOnInput,
  syntaxHighlighting,
} from "@codemirror/language";
import { lintKeymap, setDiagnostics } from "@codemirror/lint";
import { EditorState, Prec } from "@codemirror/state";
import { EditorView, keymap, placeholder } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { PromQLExtension } from "@prometheus-io/codemirror-promql";
import { type ReactNode, useEffect, useRef } from "react";

interface EditorProps {
  readonly query: string;
  readonly label: string;
  readonly run: (query: string) => void;
  /** Every keystroke, so that a button outside can run what stands here. */
  readonly changed: (query: string) => void;
  /** Where the server found a fault, as offsets into the text. */
  readonly fault: { readonly from: number; readonly message: string } | null;
}

const look = EditorView.theme({
  "&": {
    fontSize: "13.5px",
    border: "1px solid var(--line-strong)",
    borderRadius: "var(--radius)",
    backgroundColor: "var(--surface)",
  },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "1px" },
  ".cm-content": { fontFamily: "var(--mono)", caretColor: "var(--text)", padding: "7px 0" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  ".cm-selectionBackground, &.cm-focused .cm-selectionBackground": {
    backgroundColor: "var(--accent-surface) !important",
  },
  ".cm-matchingBracket": { backgroundColor: "var(--surface-3)" },
  ".cm-placeholder": { color: "var(--text-3)" },
  ".cm-tooltip": {
    backgroundColor: "var(--surface)",
    border: "1px solid var(--line-strong)",
    color: "var(--text)",
  },
  ".cm-tooltip-autocomplete ul li[aria-selected]": {
    backgroundColor: "var(--accent-surface)",
    color: "var(--text)",
  },
  ".cm-completionDetail": { color: "var(--text-2)" },
});

const colors = HighlightStyle.define([
  { tag: tags.function(tags.variableName), color: "var(--series-4)" },
  { tag: tags.keyword, color: "var(--series-4)" },
  { tag: tags.number, color: "var(--series-2)" },
  { tag: tags.string, color: "var(--series-3)" },
  { tag: tags.labelName, color: "var(--series-1)" },
  { tag: tags.modifier, color: "var(--series-6)" },
  { tag: tags.operator, color: "var(--text-2)" },
  { tag: tags.comment, color: "var(--text-3)" },
  { tag: tags.invalid, color: "var(--failing)" },
]);

function completion() {
  return new PromQLExtension()
    .activateCompletion(true)
    .activateLinter(true)
    .setComplete({ remote: { url: "", httpMethod: "GET", lookbackInterval: 3_600_000 } })
    .asExtension();
}

export default function Editor({ query, label, run, changed, fault }: EditorProps): ReactNode {
  const holder = useRef<HTMLDivElement>(null);
  const editor = useRef<EditorView | null>(null);
  const latest = useRef({ run, changed, query });
  useEffect(() => {
    latest.current = { run, changed, query };
  });

  useEffect(() => {
    if (!holder.current) return undefined;
    const view = new EditorView({
      parent: holder.current,
      state: EditorState.create({
        doc: latest.current.query,
        extensions: [
          Prec.highest(
            keymap.of([
              {
                key: "Enter",
                run: (target) => {
                  latest.current.run(target.state.doc.toString());
                  return true;
                },
                shift: () => false,
              },
            ]),
          ),
          history(),
          indentOnInput(),
          bracketMatching(),
          closeBrackets(),
          autocompletion(),
          completion(),
          syntaxHighlighting(colors),
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({ "aria-label": label }),
          placeholder("A PromQL expression; Enter runs it, Shift-Enter breaks the line"),
          look,
          EditorView.updateListener.of((update) => {
            if (update.docChanged) latest.current.changed(update.state.doc.toString());
          }),
          keymap.of([
            ...closeBracketsKeymap,
            ...completionKeymap,
            ...historyKeymap,
            ...lintKeymap,
            ...defaultKeymap,
          ]),
        ],
      }),
    });
    editor.current = view;
    return () => {
      editor.current = null;
      view.destroy();
    };
  }, [label]);

  useEffect(() => {
    const view = editor.current;
    if (!view || view.state.doc.toString() === query) return;
    view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: query } });
  }, [query]);

  useEffect(() => {
    const view = editor.current;
    if (!view) return;
    const { length } = view.state.doc;
    const from = fault ? Math.min(fault.from, Math.max(0, length - 1)) : 0;
    view.dispatch(
      setDiagnostics(
        view.state,
        fault
          ? [{ from, to: Math.min(length, from + 1), severity: "error", message: fault.message }]
          : [],
      ),
    );
  }, [fault]);

  return <div ref={holder} className="promql-editor" />;
}
