"""What a hand does in a browser."""


def click_at(visit, selector, x, y):
    """Clicks on an element, in pixels from its upper left corner."""
    from selenium.webdriver import ActionChains

    element = visit.find(selector)
    visit.run("arguments[0].scrollIntoView({block: 'center'})", element)
    size = element.size
    chain = ActionChains(visit.browser)
    chain.move_to_element_with_offset(
        element, int(x - size["width"] / 2), int(y - size["height"] / 2)
    )
    chain.click().perform()
    visit.settle()
