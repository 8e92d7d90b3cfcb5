// Keeps the page within what a phone's on-screen keyboard leaves free: some browsers lay the
// keyboard over the page and tell only the visual viewport.

const root = document.documentElement;

/** Follows the visual viewport from now on. */
export function followViewport() {
  const viewport = window.visualViewport;
  if (!viewport) {
    return;
  }
  const fit = () => {
    // A reader who has zoomed in sees a part of the page, which stays as it is.
    const isZoomed = viewport.scale > 1.01;
    const hidden = isZoomed ? 0 : root.clientHeight - viewport.height;
    if (hidden > 1) {
      root.style.setProperty('--height', `${viewport.height}px`);
      root.style.setProperty('--top', `${Math.max(0, viewport.offsetTop)}px`);
    } else {
      root.style.removeProperty('--height');
      root.style.removeProperty('--top');
    }
  };
  viewport.addEventListener('resize', fit);
  viewport.addEventListener('scroll', fit);
  fit();
}
