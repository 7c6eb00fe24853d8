import { progress } from "./progress";

const place = document.querySelector("#progress");
if (place) {
  place.textContent = progress([]);
}
