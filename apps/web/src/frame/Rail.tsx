import { Menu } from "@mantine/core";
import { IconDots, IconLayoutSidebarLeftCollapse } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { Go } from "../parts/Go.tsx";
import { useAddress } from "./address.ts";
import { barPlaces, isAt, type Place, places } from "./places.ts";

interface PlacesProps {
  readonly openIncidents: number;
  readonly practice: boolean;
}

function visiblePlaces(practice: boolean): readonly Place[] {
  return practice ? places : places.filter(({ path }) => path !== "/practice");
}

function PlaceLink({
  place,
  openIncidents,
}: {
  readonly place: Place;
  readonly openIncidents: number;
}): ReactNode {
  const { pathname } = useAddress();
  const Icon = place.icon;
  const count = place.path === "/incidents" && openIncidents > 0 ? openIncidents : null;
  return (
    <Go
      to={place.path}
      className="place"
      title={place.name}
      aria-current={isAt(place, pathname) ? "page" : undefined}
      aria-label={count === null ? place.name : `${place.name}, ${count} open`}
    >
      <Icon size={18} aria-hidden="true" />
      <span className="name">{place.name}</span>
      {count !== null && <span className="count">{count}</span>}
    </Go>
  );
}

export function Rail({
  openIncidents,
  practice,
  toggle,
}: PlacesProps & { readonly toggle: () => void }): ReactNode {
  return (
    <nav className="rail" aria-label="Places">
      <Go to="/" className="brand" aria-label="Skopos, to Now">
        <img src="/favicon.svg" width={24} height={24} alt="" />
        <span className="name">Skopos</span>
      </Go>
      {visiblePlaces(practice).map((place) => (
        <PlaceLink key={place.path} place={place} openIncidents={openIncidents} />
      ))}
      <div className="foot">
        <button
          type="button"
          className="icon-button"
          onClick={toggle}
          aria-label="Collapse or widen the rail"
        >
          <IconLayoutSidebarLeftCollapse size={18} aria-hidden="true" />
        </button>
      </div>
    </nav>
  );
}

/** The rail of a phone: five places and the rest behind "More". */
export function Bar({
  openIncidents,
  practice,
  children,
}: PlacesProps & { readonly children: ReactNode }): ReactNode {
  const { pathname, go } = useAddress();
  const visible = visiblePlaces(practice);
  const rest = visible.slice(barPlaces);
  return (
    <nav className="bar" aria-label="Places">
      {visible.slice(0, barPlaces).map((place) => (
        <PlaceLink key={place.path} place={place} openIncidents={openIncidents} />
      ))}
      <Menu position="top-end" withinPortal shadow="none" transitionProps={{ duration: 0 }}>
        <Menu.Target>
          <button
            type="button"
            className="place"
            aria-current={rest.some((place) => isAt(place, pathname)) ? "page" : undefined}
          >
            <IconDots size={18} aria-hidden="true" />
            More
          </button>
        </Menu.Target>
        <Menu.Dropdown>
          {rest.map(({ path, name, icon: Icon }) => (
            <Menu.Item
              key={path}
              leftSection={<Icon size={18} aria-hidden="true" />}
              onClick={() => go(path)}
            >
              {name}
            </Menu.Item>
          ))}
          <Menu.Divider />
          {children}
        </Menu.Dropdown>
      </Menu>
    </nav>
  );
}
