import "@mantine/core/styles/default-css-variables.css";
import "@mantine/core/styles/UnstyledButton.css";
import "@mantine/core/styles/Paper.css";
import "@mantine/core/styles/Popover.css";
import "@mantine/core/styles/Menu.css";
import "@mantine/core/styles/ModalBase.css";
import "@mantine/core/styles/Modal.css";
import "@mantine/core/styles/Overlay.css";
import "@mantine/core/styles/CloseButton.css";
import "@mantine/core/styles/ScrollArea.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/frame.css";
import "./styles/charts.css";
import { createTheme, MantineProvider } from "@mantine/core";
import { QueryClientProvider, useQuery } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { type ReactNode, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { queryClient, saysError, sessionQuery, signIn } from "./data/client.ts";
import { applyScheme, readPreference, usePreference } from "./data/preferences.ts";
import { SignIn } from "./frame/SignIn.tsx";
import { Refusal } from "./parts/States.tsx";
import { router } from "./routes.tsx";

const theme = createTheme({
  fontFamily: "var(--font)",
  fontFamilyMonospace: "var(--mono)",
  defaultRadius: 6,
  respectReducedMotion: true,
});

function Gate({ failure }: { readonly failure: string | null }): ReactNode {
  const session = useQuery({ ...sessionQuery, refetchInterval: 300_000 });
  if (session.data) return <RouterProvider router={router} />;
  if (session.data === null) return <SignIn failure={failure} />;
  if (session.error)
    return (
      <main className="sign-in">
        <Refusal error={session.error} retry={() => void session.refetch()} />
      </main>
    );
  return null;
}

function App({ failure }: { readonly failure: string | null }): ReactNode {
  const [scheme] = usePreference("scheme", "auto");
  const forced =
    scheme === "light" || scheme === "dark" ? ({ forceColorScheme: scheme } as const) : {};
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto" {...forced}>
      <QueryClientProvider client={queryClient}>
        <Gate failure={failure} />
      </QueryClientProvider>
    </MantineProvider>
  );
}

/** Takes a one-time code out of the address before anything else can see it, then signs in with it. */
async function signInByLink(): Promise<string | null> {
  const code = /^#signin=(.+)$/.exec(location.hash)?.[1];
  if (code === undefined) return null;
  history.replaceState(null, "", location.pathname + location.search);
  try {
    await signIn({ code: decodeURIComponent(code) });
    return null;
  } catch (error) {
    return `The one-time link did not work: ${saysError(error)}`;
  }
}

applyScheme(readPreference("scheme") ?? "auto");
const place = document.getElementById("root");
if (place) {
  const root = createRoot(place);
  const show = async () => {
    const failure = await signInByLink();
    // The page's code and who looks are asked for together.
    void router.load();
    void queryClient.prefetchQuery(sessionQuery);
    root.render(
      <StrictMode>
        <App key={failure} failure={failure} />
      </StrictMode>,
    );
  };
  // The link pasted into the tab that asks to sign in changes nothing but the fragment.
  window.addEventListener("hashchange", () => {
    if (location.hash.startsWith("#signin=")) void show();
  });
  await show();
}
